"""Placement groups, which moto lacks: made, listed by name, refused where unknown, kept while a machine is in them."""

from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from provisioner.sandbox.labels import Tagged
from provisioner.sandbox.lifecycle import Refused, living
from provisioner.sandbox.wire import AwsError, Call, labels_in, listed, tag_set, xml_answer

STRATEGIES = ("cluster", "spread", "partition")


@dataclass
class Group(Tagged):
    KIND, PREFIX = "placement-group", "pg"

    name: str
    strategy: str

    def xml(self) -> str:
        return (f"<groupName>{escape(self.name)}</groupName><strategy>{self.strategy}</strategy>"
                f"<state>available</state><groupId>{self.id}</groupId>{tag_set(self.labels)}")  # fmt: skip


class PlacementGroups:
    """By region and name."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], Group] = {}

    def answer(self, call: Call) -> Any:
        return {"CreatePlacementGroup": self.create, "DescribePlacementGroups": self.describe,
                "DeletePlacementGroup": self.delete}[call.operation](call)  # fmt: skip

    def create(self, call: Call) -> Any:
        name, strategy = call.params.get("GroupName", ""), call.params.get("Strategy", "cluster")
        if (call.region, name) in self._groups:
            return AwsError("InvalidPlacementGroup.Duplicate", f"The placement group '{name}' already exists.")
        if strategy not in STRATEGIES or not name:
            return AwsError("InvalidParameterValue", f"Value ({strategy}) for parameter strategy is invalid.")
        group = self._groups[call.region, name] = Group(call.region, name, strategy)
        group.labels.update(labels_in(call))
        ids_by_name(group.backend)[name] = group.id
        return xml_answer(call, f"<return>true</return><placementGroup>{group.xml()}</placementGroup>")

    def describe(self, call: Call) -> Any:
        names = set(listed(call, "GroupName"))
        here = {name: group for (region, name), group in self._groups.items() if region == call.region}
        if missing := names - set(here):
            return AwsError("InvalidPlacementGroup.Unknown", f"The Placement Group '{min(missing)}' is unknown.")
        wanted = [group for name, group in here.items() if not names or name in names]
        kept = [group for group in wanted if all(matches(group, one) for one in listed(call, "Filter"))]
        items = "".join(f"<item>{group.xml()}</item>" for group in kept)
        return xml_answer(call, f"<placementGroupSet>{items}</placementGroupSet>")

    def delete(self, call: Call) -> Any:
        name = call.params.get("GroupName", "")
        if (call.region, name) not in self._groups:
            return AwsError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
        group = self._groups[call.region, name]
        if any(one.placement.group_name == name for one in living(group.backend)):
            return AwsError(
                "InvalidPlacementGroup.InUse", f"The placement group {name} is in use and may not be deleted."
            )
        group.forget_labels()
        del self._groups[call.region, name], ids_by_name(group.backend)[name]
        return xml_answer(call, "<return>true</return>")

    def refuse_unknown(self, region: str, name: str) -> None:
        if name and (region, name) not in self._groups:
            raise Refused("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")


def ids_by_name(backend: Any) -> dict[str, str]:
    """Of one region's groups: calls name them, labels hang on their ids."""
    return vars(backend).setdefault("placement_group_ids", {})


def matches(group: Group, condition: dict[str, Any]) -> bool:
    name, values = condition.get("Name", ""), condition.get("Value", [])
    facts = {"group-name": group.name, "strategy": group.strategy, "state": "available"}
    facts |= {f"tag:{key}": value for key, value in group.labels.items()}
    return (name == "tag-key" and bool(set(values) & set(group.labels))) or facts.get(name) in values
