"""Which ways lead out of a machine: to the store, and to everything else."""

from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.instances import Instance


def way_to(instance: Instance, service: str, region: str) -> str:
    """The way by which the machine reaches a service of a region: gateway, ipv6, nat, public; empty for none."""
    backend = instance.ec2_backend
    table = route_table(backend, instance)
    if table is None:
        return ""
    if service == "s3" and region == instance.region_name and has_gateway(backend, table, region):
        return "gateway"
    routes = table.routes
    if has_ipv6(backend, instance) and any(r.destination_ipv6_cidr_block == "::/0" and leads_out(r) for r in routes):
        return "ipv6"
    default = [route for route in routes if route.destination_cidr_block == "0.0.0.0/0"]
    if any(route.nat_gateway for route in default):
        return "nat"
    if any(route.gateway for route in default) and has_public_address(backend, instance):
        return "public"
    return ""


def leads_out(route: Any) -> bool:
    return bool(route.egress_only_igw or route.gateway)


def route_table(backend: EC2Backend, instance: Instance) -> Any:
    """The subnet's own, or the network's main one."""
    tables = [table for table in backend.route_tables.values() if table.vpc_id == instance.vpc_id]
    for table in tables:
        if instance.subnet_id in table._associations.values():
            return table
    return next((table for table in tables if table.main_association_id), None)


def has_gateway(backend: EC2Backend, table: Any, region: str) -> bool:
    return any(
        endpoint.vpc_id == table.vpc_id
        and endpoint.service_name == f"com.amazonaws.{region}.s3"
        and endpoint.vpc_endpoint_type == "Gateway"
        and table.id in (endpoint.route_table_ids or [])
        for endpoint in backend.vpc_end_points.values()
    )


def has_ipv6(backend: EC2Backend, instance: Instance) -> bool:
    return bool(backend.get_subnet(instance.subnet_id).ipv6_cidr_block_associations)


def has_public_address(backend: EC2Backend, instance: Instance) -> bool:
    said = getattr(instance, "sandbox_public", None)
    subnet = backend.get_subnet(instance.subnet_id)
    return str(subnet.map_public_ip_on_launch).lower() == "true" if said is None else said
