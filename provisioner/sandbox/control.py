"""The control door: what `accelctl sandbox …` asks of a running sandbox."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.instance_types import INSTANCE_TYPES

from provisioner.sandbox.access import Access
from provisioner.sandbox.cloud import NoSuchInstance, SandboxCloud
from provisioner.sandbox.labels import labels_of
from provisioner.sandbox.lifecycle import pool_of
from provisioner.sandbox.quotas import CODES
from provisioner.sandbox.wire import AwsError, Call

HTTP_500 = {"InsufficientInstanceCapacity", "InternalError"}
HTTP_503 = {"RequestLimitExceeded", "Unavailable", "SlowDown", "ServiceUnavailable"}


def http_status(code: str) -> int:
    return 500 if code in HTTP_500 else 503 if code in HTTP_503 else 400


def refuse_unknown(kind: str, zone: str) -> None:
    """Raises ValueError for a type or a zone that the sandbox does not have."""
    if kind not in INSTANCE_TYPES:
        near = ", ".join(get_close_matches(kind, INSTANCE_TYPES, n=3))
        raise ValueError(f"there is no type '{kind}'" + (f"; did you mean {near}?" if near else ""))
    if not any(zone == held.name for zones in RegionsAndZonesBackend.zones.values() for held in zones):
        raise ValueError(f"there is no zone '{zone}'")


class Control:
    """Verbs by name; each takes plain strings and answers with plain data."""

    def __init__(self, cloud: SandboxCloud, access: Access) -> None:
        self._cloud, self._access = cloud, access
        self.counts: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        """Requests of each machine."""
        self.doomed: dict[str, int] = {}
        self.google: Any = None
        self.azure: Any = None
        """The other clouds' sides of the sandbox."""
        self.faults: list[dict[str, Any]] = []
        self.verbs: dict[str, Callable[..., Any]] = {
            "status": self.status, "interrupt": self.interrupt, "capacity": self.capacity, "price": self.price,
            "quota": self.quota, "fault": self.fault, "clock": self.clock, "ledger": self.ledger,
            "consistency": self.consistency, "lose": self.lose,
        }  # fmt: skip

    def answer(self, verb: str, asked: dict[str, str]) -> tuple[int, Any]:
        """HTTP status and document."""
        if verb not in self.verbs:
            return 404, {"error": f"no such verb: {verb}"}
        try:
            return 200, self.verbs[verb](**asked)
        except NoSuchInstance as missing:
            return 404, {"error": f"there is no running machine '{missing}' in the sandbox"}
        except (TypeError, ValueError, ArithmeticError) as mistake:
            return 400, {"error": str(mistake)}

    def status(self) -> dict[str, Any]:
        return {
            "endpoints": {"aws": self._cloud.url, "google": self.google.url, "azure": self.azure.url},
            "now": self._cloud.clock.now().isoformat(timespec="seconds"),
            "machines": [self.machine(instance) for instance in self._cloud.instances()],
            "requests": dict(self.counts), "unjudged_conditions": sorted(self._access.unjudged),
            "used_permissions": {role: sorted(actions) for role, actions in list(self._access.used.items())},
            "failed_schedules": self._cloud.schedules.failed, "failed_functions": self._cloud.functions.failed,
            "failed_jobs": self.google.jobs.failed, "google": self.google.counts(),
            "azure": self.azure.counts(),
        }  # fmt: skip

    def machine(self, instance: Any) -> dict[str, Any]:
        held = self._cloud.machines.by_id.get(instance.id)
        kind, zone = pool_of(instance)
        return {
            "instance_id": instance.id, "state": instance.state, "instance_type": kind, "zone": zone,
            "capacity_type": instance.lifecycle or "on-demand", "pid": held.process.pid if held else None,
            "labels": labels_of(instance), "requests": self.asked[instance.id],
        }  # fmt: skip

    def interrupt(self, instance: str, notice: str = "120") -> dict[str, str]:
        found, when = self._cloud.interrupt(instance, timedelta(seconds=float(notice)))
        return {"instance_id": found, "time": when.isoformat(timespec="seconds")}

    def capacity(self, type: str, zone: str, count: str) -> dict[str, Any]:
        refuse_unknown(type, zone)
        self._cloud.market.set_capacity((type, zone), int(count))
        return {"type": type, "zone": zone, "capacity": int(count)}

    def price(self, type: str, zone: str, usd: str) -> dict[str, Any]:
        refuse_unknown(type, zone)
        self._cloud.market.set_price((type, zone), Decimal(usd))
        return {"type": type, "zone": zone, "usd": usd}

    def quota(self, region: str, code: str, limit: str) -> dict[str, Any]:
        if region not in RegionsAndZonesBackend.zones:
            raise ValueError(f"there is no region '{region}'")
        if code not in CODES:
            raise ValueError(f"there is no quota '{code}': the codes are {', '.join(sorted(CODES))}")
        self._cloud.quotas.limits[region, code] = float(limit)
        return {"region": region, "code": code, "limit": float(limit)}

    def fault(self, operation: str, code: str, times: str = "1") -> dict[str, Any]:
        """The next calls of that operation are refused; 0 times takes back what was asked for before."""
        if times == "0":
            self.faults = [fault for fault in self.faults if fault["operation"] != operation]
            return {"faults": len(self.faults)}
        self.faults.append({"operation": operation, "code": code, "times": int(times)})
        return {"faults": len(self.faults)}

    def clock(self, advance: str = "0") -> dict[str, str]:
        now = self._cloud.clock.advance(timedelta(seconds=float(advance)))
        return {"now": now.isoformat(timespec="seconds")}

    def consistency(self, seconds: str = "", profiles: str = "") -> dict[str, float]:
        """How long a new machine stays unlisted, and a new instance profile unknown, from now on."""
        listings, launches = self._cloud.listings, self._cloud.launches
        listings.hidden_for = float(seconds or listings.hidden_for)
        launches.profile_unknown_for = float(profiles or launches.profile_unknown_for)
        return {"seconds": listings.hidden_for, "profiles": launches.profile_unknown_for}

    def lose(self, job: str, request: str) -> dict[str, Any]:
        """The job's next machine disappears once its n-th request has taken effect."""
        self.doomed[job] = int(request)
        return {"job": job, "request": int(request)}

    def heard(self, instance: Any) -> None:
        """A machine's request took effect; whether it hears the answer depends."""
        self.asked[instance.id] += 1
        name = labels_of(instance).get("accelctl:name", "")
        if self.asked[instance.id] == self.doomed.get(name):
            del self.doomed[name]
            self._cloud.interrupt(instance.id, timedelta(0))

    def ledger(self, job: str = "") -> dict[str, Any]:
        """Of everything, or of one job by its id or its name."""
        lines = self._cloud.ledger.lines(job)
        if job and not lines:
            raise ValueError(f"no machine of a job '{job}' was ever bought")
        total = sum((line["usd"] for line in lines), Decimal(0))
        return {"lines": [line | {"usd": f"{line['usd']:.6f}"} for line in lines], "total": f"{total:.6f}"}

    def next_fault(self, call: Call) -> AwsError | None:
        """What was injected for this operation, once for each time it was asked for."""
        for fault in self.faults:
            if fault["operation"] == call.operation and fault["times"] > 0:
                fault["times"] -= 1
                return AwsError(fault["code"], "Injected by the sandbox.", http_status(fault["code"]))
        return None
