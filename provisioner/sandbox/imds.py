"""The instance metadata service, version 2, one URL prefix per machine: /_imds/<instance-id>/latest/..."""

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from provisioner.sandbox.clock import SandboxClock

Reply = tuple[int, str, str]


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Metadata:
    """What each machine may know of itself. `notices` holds when a machine will be taken back."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self.notices: dict[str, datetime] = {}
        self.rebalance: dict[str, datetime] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        self._credentials: dict[str, Any] = {}
        self.holders: dict[str, Any] = {}
        """Access key -> the instance it was given to."""

    def answer(self, instance: Any, method: str, path: str, headers: dict[str, str]) -> Reply:
        if path == "latest/api/token":
            return self.token(instance.id, method, headers.get("HTTP_X_AWS_EC2_METADATA_TOKEN_TTL_SECONDS", ""))
        owner, expires = self._tokens.get(headers.get("HTTP_X_AWS_EC2_METADATA_TOKEN", ""), ("", 0.0))
        if owner != instance.id or expires < self._clock.timestamp():
            return 401, "text/html", "Unauthorized"
        if path == "latest/dynamic/instance-identity/document":
            return 200, "text/plain", json.dumps(identity(instance))
        value = self.value(instance, path.removeprefix("latest/meta-data/"))
        return (404, "text/html", "Not Found") if value is None else (200, "text/plain", value)

    def token(self, instance_id: str, method: str, ttl: str) -> Reply:
        if method != "PUT" or not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
            return (405 if method != "PUT" else 400), "text/html", "Bad Request"
        token = secrets.token_urlsafe(40)
        self._tokens[token] = (instance_id, self._clock.timestamp() + int(ttl))
        return 200, "text/plain", token

    def value(self, instance: Any, path: str) -> str | None:
        zone, tags = instance.placement.zone, {t["key"]: t["value"] for t in instance.get_tags()}
        plain = {
            "instance-id": instance.id, "instance-type": instance.instance_type, "ami-id": instance.image_id,
            "local-ipv4": instance.private_ip, "hostname": instance.private_dns_name,
            "instance-life-cycle": instance.lifecycle or "on-demand", "placement/availability-zone": zone,
            "placement/region": zone[:-1],
        }  # fmt: skip
        if path in plain:
            return plain[path]
        if path.startswith("tags/instance") and instance.metadata_options.instance_metadata_tags == "enabled":
            key = path.removeprefix("tags/instance").strip("/")
            return tags.get(key) if key else "\n".join(tags)
        if path.startswith("iam/security-credentials"):
            return self.role(instance, path.removeprefix("iam/security-credentials").strip("/"))
        return self.event(instance.id, path)

    def event(self, instance_id: str, path: str) -> str | None:
        end, advice = self.notices.get(instance_id), self.rebalance.get(instance_id)
        if path == "spot/instance-action" and end:
            return json.dumps({"action": "terminate", "time": self.real(end)})
        if path == "spot/termination-time" and end:
            return self.real(end)
        if path == "events/recommendations/rebalance" and advice:
            return json.dumps({"noticeTime": self.real(advice)})
        return None

    def real(self, moment: datetime) -> str:
        """By the machine's own clock, which nobody moves."""
        return stamp(moment - self._clock.offset)

    def role(self, instance: Any, name: str) -> str | None:
        association = instance.ec2_backend.iam_instance_profile_associations.get(instance.id)
        roles = association.iam_instance_profile.roles if association else []
        if not roles or name not in ("", roles[0].name):
            return None
        return roles[0].name if not name else json.dumps(self.assumed(instance, roles[0]))

    def assumed(self, instance: Any, role: Any) -> dict[str, str]:
        """Registered in moto's STS, so that moto and our own authorisation know whose key it is."""
        from moto.sts.models import sts_backends

        held = self._credentials.get(instance.id)
        if held is None or held.expiration - datetime.now(UTC).replace(tzinfo=None) < timedelta(minutes=30):
            # by real time: the SDKs on the machine compare with the machine's clock
            sts = sts_backends[instance.owner_id]["aws"]
            held = sts.assume_role(instance.region_name, instance.id, role.arn, "", 6 * 3600, "")
            self._credentials[instance.id] = held
            self.holders[held.access_key_id] = instance
        return {
            "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": stamp(datetime.now(UTC)),
            "AccessKeyId": held.access_key_id, "SecretAccessKey": held.secret_access_key,
            "Token": held.session_token, "Expiration": held.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }  # fmt: skip


def identity(instance: Any) -> dict[str, str]:
    return {"instanceId": instance.id, "region": instance.placement.zone[:-1], "accountId": instance.owner_id,
            "availabilityZone": instance.placement.zone, "instanceType": instance.instance_type}  # fmt: skip
