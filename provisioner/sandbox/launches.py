"""What moto's launches lack: capacity, prices, spot requests, quotas, fleet errors, refusals with their real codes.

Refusals are raised where moto launches (`EC2Backend.run_instances`), so that every way in (RunInstances, fleets,
Auto Scaling) meets the same market. The front turns codes into HTTP statuses.
"""

import base64
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.elastic_network_interfaces import Attachment
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.ec2.models.instances import Instance
from moto.ec2.responses.fleets import Fleets
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.spot_instances import SpotInstances
from moto.iam.models import iam_backends

from provisioner.sandbox import interfaces
from provisioner.sandbox.asked import Asked, of_call, of_template
from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.lifecycle import USER, Refused, SpotRequest, explain, pool_of, request_of
from provisioner.sandbox.market import Market, Pool
from provisioner.sandbox.phases import ENDED, Phases
from provisioner.sandbox.placement import PlacementGroups
from provisioner.sandbox.quotas import Quotas
from provisioner.sandbox.reservations import BLOCK, Reservation, Reservations

USER_DATA_LIMIT = 16384
PROFILE_UNKNOWN_FOR = 0.5


class Launches:
    """The replaced methods; `install` puts them in place, once per process."""

    def __init__(
        self, market: Market, quotas: Quotas, clock: SandboxClock, phases: Phases, placement: PlacementGroups,
        reservations: Reservations,
    ) -> None:  # fmt: skip
        self.market, self.quotas, self.clock, self.phases, self.placement = market, quotas, clock, phases, placement
        self.reservations = reservations
        self._local = threading.local()
        self.profile_unknown_for = PROFILE_UNKNOWN_FOR
        """Seconds."""

    def install(self) -> None:
        wrap(Attachment, "__init__", interfaces.with_card)
        wrap(EC2Backend, "run_instances", self.run_instances)
        wrap(EC2Backend, "start_instances", self.start_instances)
        wrap(EC2Backend, "stop_instances", self.stop_instances)
        wrap(EC2Backend, "terminate_instances", self.terminate_instances)
        wrap(InstanceResponse, "run_instances", self.run_instances_call)
        wrap(Fleets, "create_fleet", self.create_fleet_call)
        wrap(SpotInstances, "describe_spot_price_history", self.describe_spot_price_history)

    # RunInstances -----------------------------------------------------------------------------------------------------

    def run_instances_call(self, original: Any, this: InstanceResponse) -> ActionResult:
        """moto launches MinCount and drops the market options; keep both for the backend call below."""
        expand_template(this)
        with self.asking(of_call(this)):
            return original(this)

    @property
    def asked(self) -> Asked:
        """By the call that this thread serves."""
        return getattr(self._local, "asked", None) or Asked()

    @contextmanager
    def asking(self, asked: Asked) -> Generator[None]:
        self._local.asked = asked
        try:
            yield
        finally:
            self._local.asked = None

    def run_instances(
        self, original: Any, backend: EC2Backend, image_id: str, count: int, user_data: Any, groups: Any, **kwargs: Any
    ) -> Any:
        refuse_large(user_data)
        refuse_new_profile(
            backend, kwargs.get("iam_instance_profile_name"), timedelta(seconds=self.profile_unknown_for)
        )
        asked = self.asked
        least, most = asked.count or (count, count)
        image_id = resolved(backend, image_id)
        pool = kwargs["instance_type"], self.zone(backend, kwargs)
        interfaces.refuse_wrong(pool[0], asked.interfaces)
        self.placement.refuse_unknown(backend.region_name, asked.group)
        market = asked.market.get("MarketType", "")
        reserved = self.reservations.targeted(backend.region_name, asked.reservation, market, pool)
        granted = self.granted(backend, pool, least, most, reserved)
        if not reserved:  # which has been counted
            self.quotas.check(backend, pool[0], granted, spot=asked.spot)
        if asked.spot:
            self.check_price(pool, asked.spot_options)
        if not kwargs.get("subnet_id"):
            kwargs["placement"] = pool[1]
        kwargs["nics"] = interfaces.on_first_card(interfaces.asked_for(kwargs.get("nics")))
        reservation = original(backend, image_id, granted, user_data, groups, **kwargs)
        if not reserved:
            self.market.take(pool, granted)
        for instance in reservation.instances:
            belong(instance, reserved)
            self.settle(instance, asked, kwargs)
        for instance in reservation.instances[1:]:
            associate(backend, instance, kwargs)  # moto gives the role to the first one only
        return reservation

    def settle(self, instance: Instance, asked: Asked, kwargs: dict[str, Any]) -> None:
        now = self.clock.now()
        instance.launch_time = told(now)
        instance.sandbox_launched_at = now
        instance.sandbox_disk_gib = asked.disk_gib
        instance.sandbox_public = asked.public
        interfaces.attach(instance, asked.interfaces)
        instance.placement.group_name = asked.group
        if asked.spot:
            SpotRequest(instance, asked.spot_options, kwargs.get("tags") or {}, now)
        self.phases.launched(instance)

    def granted(
        self, backend: EC2Backend, pool: Pool, least: int, most: int, reserved: Reservation | None = None
    ) -> int:
        if reserved:
            return self.reservations.granted(reserved, least, most)
        free = self.market.free(pool)
        granted = most if free is None else min(most, free)
        if granted < max(least, 1):
            raise Refused("InsufficientInstanceCapacity", no_capacity(backend, pool))
        return granted

    def zone(self, backend: EC2Backend, kwargs: dict[str, Any]) -> str:
        kind, asked = kwargs["instance_type"], kwargs.get("placement")
        if subnet := kwargs.get("subnet_id") or self.asked.subnet:
            asked = backend.get_subnet(subnet).availability_zone
        if kind not in INSTANCE_TYPES:
            raise Refused("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
        offered = zones(backend.region_name, kind)
        if asked and asked not in offered:
            raise Refused("Unsupported", f"Your requested instance type ({kind}) is not supported in your requested "
                          f"Availability Zone ({asked}). Please retry your request by not specifying an Availability "
                          f"Zone or choosing {', '.join(offered)}.")  # fmt: skip
        open_zones = [zone for zone in offered if self.market.free((kind, zone)) != 0]
        return asked or next(iter(open_zones or offered), f"{backend.region_name}a")

    def check_price(self, pool: Pool, options: dict[str, Any]) -> None:
        price = self.market.price(pool)
        if options.get("MaxPrice") and Decimal(options["MaxPrice"]) < price:
            raise Refused("SpotMaxPriceTooLow", f"Your Spot request price of {options['MaxPrice']} is lower than the "
                          f"minimum required Spot request fulfillment price of {price}.")  # fmt: skip

    # CreateFleet (instant) --------------------------------------------------------------------------------------------

    def create_fleet_call(self, original: Any, this: Fleets) -> ActionResult:
        """Cheapest override first, and an Errors row for each one that could not serve; moto knows neither."""
        if this._get_param("Type") != "instant":
            return original(this)
        target = this._get_param("TargetCapacitySpecification")
        wanted = int(target["TotalTargetCapacity"])
        this.params["TargetCapacitySpecification"] = {**target, "TotalTargetCapacity": 0}
        for name in ("SpotTargetCapacity", "OnDemandTargetCapacity"):
            this.params["TargetCapacitySpecification"].pop(name, None)
        body = original(this).result
        fleet = this.ec2_backend.get_fleet(body["FleetId"])
        spot = target.get("DefaultTargetCapacityType") == "spot" or int(target.get("SpotTargetCapacity", 0)) > 0
        body["Instances"], body["Errors"] = [], []
        self.fill(this.ec2_backend, fleet, body, wanted, spot)
        return ActionResult(body)

    def fill(self, backend: EC2Backend, fleet: Any, body: dict[str, Any], wanted: int, spot: bool) -> None:
        lifecycle = "spot" if spot else "on-demand"
        for spec in sorted(fleet.launch_specs, key=lambda s: self.market.price((s.instance_type, zone_of(backend, s)))):
            if len(body["Instances"]) == wanted:
                return
            where = {"LaunchTemplateSpecification": spec.launch_template_spec, "Overrides": spec.overrides or {}}
            common = {"Lifecycle": lifecycle, "LaunchTemplateAndOverrides": where}
            try:
                launched = self.launch_spec(backend, fleet, spec, wanted - len(body["Instances"]), spot)
            except EC2ClientError as error:
                body["Errors"].append(common | {"ErrorCode": error.code, "ErrorMessage": error.message})
                continue
            for i in launched:
                body["Instances"].append(common | {"InstanceIds": [i.id], "InstanceType": i.instance_type})

    def launch_spec(self, backend: EC2Backend, fleet: Any, spec: Any, count: int, spot: bool) -> list[Instance]:
        template = backend._get_template_from_args(spec.launch_template_spec).data
        profile = template.get("IamInstanceProfile", {})
        profile = {"iam_instance_profile_name": profile.get("Name"), "iam_instance_profile_arn": profile.get("Arn")}
        limit = (spec.overrides or {}).get("MaxPrice")
        market = {"MarketType": "spot", "SpotOptions": {"MaxPrice": limit} if limit else {}}
        with self.asking(of_template(template, market=market if spot else {}, most=count)):
            reservation = backend.run_instances(
                spec.image_id, count, spec.user_data, spec.group_set, instance_type=spec.instance_type,
                is_instance_type_default=False, placement=zone_of(backend, spec), subnet_id=spec.subnet_id,
                region_name=backend.region_name, tags=spec.tag_specifications, fleet_id=fleet.id, **profile,
                instance_initiated_shutdown_behavior=template.get("InstanceInitiatedShutdownBehavior"),
                metadata_options=template.get("MetadataOptions", {}),
                block_device_mappings=template.get("BlockDeviceMappings") or None,
            )  # fmt: skip
        associate(backend, reservation.instances[0], profile)
        for instance in reservation.instances:
            fleet.on_demand_instances.append({"id": reservation.id, "instance": instance, "launch_spec": spec})
            fleet.fulfilled_capacity += 1
        return list(reservation.instances)

    # ends -------------------------------------------------------------------------------------------------------------

    def start_instances(self, original: Any, backend: EC2Backend, instance_ids: list[str]) -> Any:
        """LaunchTime is that of the last start."""
        stopped = [one for one in backend.get_multi_instances_by_id(instance_ids) if one.state == "stopped"]
        result = original(backend, instance_ids)
        for instance in stopped:
            instance.launch_time = told(self.clock.now())
        return result

    def stop_instances(self, original: Any, backend: EC2Backend, instance_ids: list[str]) -> Any:
        for instance in backend.get_multi_instances_by_id(instance_ids):
            request = request_of(instance)
            if request and request.type == "one-time":
                raise Refused("UnsupportedOperation", f"You can't stop the Spot Instance '{instance.id}' because it is "
                              "associated with a one-time Spot Instance request. You can only stop Spot Instances "
                              "associated with persistent Spot Instance requests.")  # fmt: skip
        return original(backend, instance_ids)

    def terminate_instances(self, original: Any, backend: EC2Backend, instance_ids: list[str]) -> Any:
        if not instance_ids:
            return []  # a fleet whose machines are gone already
        instances = backend.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            if instance.disable_api_termination in (True, "true"):
                raise Refused("OperationNotPermitted", f"The instance '{instance.id}' may not be terminated. Modify "
                              "its 'disableApiTermination' instance attribute and try again.")  # fmt: skip
        alive = [i for i in instances if i.state not in ENDED]  # moto would end them again, for another reason
        result = original(backend, [i.id for i in alive]) if alive else []
        for instance in alive:
            explain(instance, USER, self.clock.now())
            self.phases.ended(instance)
            self.give_back(instance)
            if request := request_of(instance):
                request.mark("closed", "instance-terminated-by-user", self.clock.now())
        return [*result, *((i, i._state) for i in instances if i not in alive)]

    def give_back(self, instance: Instance) -> None:
        """Its place, to whoever it was taken from."""
        if not self.reservations.covers(instance):
            self.market.give_back(pool_of(instance))

    def describe_spot_price_history(self, original: Any, this: SpotInstances) -> ActionResult:
        """Newest first; with StartTime, the price that held then and every change since."""
        start: datetime | None = this._get_param("StartTime")
        matches = this.ec2_backend.describe_spot_price_history(
            this._get_param("InstanceTypes", []),
            {k: v for k, v in this._filters_from_querystring().items() if k != "product-description"},
        )
        rows = []
        for offer in matches:
            prices = self.market.prices((offer["InstanceType"], offer["Location"]))
            older = [row for row in prices if start and row[0] <= start.astimezone()]
            for at, price in reversed(prices[max(len(older) - 1, 0) :]):
                rows.append({"InstanceType": offer["InstanceType"], "ProductDescription": "Linux/UNIX", "Timestamp": at,
                             "SpotPrice": f"{price:.6f}", "AvailabilityZone": offer["Location"]})  # fmt: skip
        return ActionResult({"SpotPriceHistory": rows, "NextToken": ""})


def told(moment: datetime) -> datetime:
    """As moto keeps a LaunchTime."""
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0)


def wrap(owner: Any, name: str, replacement: Any) -> None:
    original = getattr(owner, name)
    setattr(owner, name, lambda this, *args, **kwargs: replacement(original, this, *args, **kwargs))


def belong(instance: Instance, reserved: Reservation | None) -> None:
    """To a reservation, as DescribeInstances says it."""
    if reserved:
        instance.capacity_reservation_id = reserved.id
        instance.lifecycle = BLOCK if reserved.fee is not None else None


def expand_template(this: InstanceResponse) -> None:
    """What the template says, under what the call itself says: of a template moto takes image, type and tags alone."""
    if not (named := this._get_param("LaunchTemplate", {})):
        return
    data = dict(this.ec2_backend._get_template_from_args(named).data)
    labels = [*this._get_param("TagSpecifications", []), *data.pop("TagSpecifications", [])]
    for name, value in data.items():
        this.params.setdefault(name, str(value) if name == "UserData" else value)  # a call's own is text
    this.params.pop("LaunchTemplate")
    if labels:
        this.params["TagSpecifications"] = labels


def refuse_new_profile(backend: EC2Backend, name: str | None, unknown_for: timedelta) -> None:
    """IAM is eventually consistent: EC2 does not know a profile in its first moments."""
    if not name:
        return
    profiles = iam_backends[backend.account_id]["aws"].instance_profiles.values()
    made = next((profile.create_date for profile in profiles if profile.name == name), None)
    if made is None or datetime.now(UTC) - made.replace(tzinfo=UTC) < unknown_for:
        said = f"Value ({name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
        raise Refused("InvalidParameterValue", said)


def refuse_large(user_data: Any) -> None:
    if user_data and len(base64.b64decode(str(user_data))) > USER_DATA_LIMIT:
        raise Refused("InvalidParameterValue", "User data is limited to 16384 bytes")


def resolved(backend: EC2Backend, image_id: str) -> str:
    """`resolve:ssm:NAME`, which moto stores as it stands; and an image that nobody knows."""
    if image_id and image_id.startswith("resolve:ssm:"):
        from moto.ssm.models import ssm_backends

        parameters = ssm_backends[backend.account_id][backend.region_name]
        parameter = parameters.get_parameter(image_id.removeprefix("resolve:ssm:"))
        if parameter is None:
            raise Refused("InvalidParameterValue", f"Invalid image parameter {image_id}")
        return parameter.value
    if image_id and not image_id.startswith("ami-"):
        raise Refused("InvalidAMIID.Malformed", f'Invalid id: "{image_id}"')
    return image_id


def zone_of(backend: EC2Backend, spec: Any) -> str:
    overrides = spec.overrides or {}
    if spec.subnet_id:
        return backend.get_subnet(spec.subnet_id).availability_zone
    return overrides.get("AvailabilityZone") or overrides.get("Placement", {}).get("AvailabilityZone") or ""


def associate(backend: EC2Backend, instance: Instance, kwargs: dict[str, Any]) -> None:
    names = {k: kwargs[k] for k in ("iam_instance_profile_name", "iam_instance_profile_arn") if kwargs.get(k)}
    if names and instance.id not in backend.iam_instance_profile_associations:
        backend.associate_iam_instance_profile(instance.id, **names)


def zones(region: str, instance_type: str) -> list[str]:
    offers = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, [])
    return sorted(offer["Location"] for offer in offers if offer["InstanceType"] == instance_type)


def no_capacity(backend: EC2Backend, pool: Pool) -> str:
    kind, zone = pool
    others = ", ".join(other for other in zones(backend.region_name, kind) if other != zone)
    return (
        f"We currently do not have sufficient {kind} capacity in the Availability Zone you requested ({zone}). "
        "Our system will be working on provisioning additional capacity. You can currently get "
        f"{kind} capacity by not specifying an Availability Zone in your request or choosing {others}."
    )
