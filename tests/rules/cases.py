"""The table of cases, as each door wants it."""

import copy
import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from provisioner.catalog.labels import for_google
from provisioner.rules import floor, ruleset
from provisioner.rules.aws import OPTIONS
from provisioner.rules.documents import plain
from provisioner.rules.readers import reader_of

NOW = datetime.now(UTC)
NOT_YET = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
DOCUMENT = tomllib.loads(Path(__file__).with_name("cases.toml").read_text())
SAFE = {"metadataOptions": {"httpTokens": "required"}, "rootBlockDevice": {"encrypted": True}}
UNLABELLED = {"aws:scheduler/schedule:Schedule", *floor.READERS}
TEMPLATE = {"metadataOptions": {"httpTokens": "required"}}


def inputs_of(case: dict[str, Any]) -> dict[str, Any]:
    """The inputs as Pulumi writes them, with the usual labels and what is safe."""
    safe = {"aws:ec2/instance:Instance": SAFE, "aws:ec2/launchTemplate:LaunchTemplate": TEMPLATE}
    found = copy.deepcopy(safe.get(case["token"], {})) | copy.deepcopy(case["inputs"])
    tags = DOCUMENT["usual"]["tags"] | case.get("tags", {})
    tags.pop(case.get("without", ""), None)
    tags = {key.removeprefix("accelctl:") if case.get("bare") else key: moment(value) for key, value in tags.items()}
    bare = case["token"].startswith("gcp:") or case["token"] in UNLABELLED  # Google's stand in the case itself
    return unknown(({} if bare else {"tags": tags}) | moments(found))


def moments(value: Any) -> Any:
    """The times of the table, wherever they stand."""
    if isinstance(value, dict):
        return {name: moments(one) for name, one in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list):
        return [moments(one) for one in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return moment(value) if isinstance(value, str) else value


def moment(text: str) -> str:
    told = re.fullmatch(r"NOW\+(\d+)h(, as Google writes it)?", text)
    if told is None:
        return text
    written = f"{NOW + timedelta(hours=int(told[1])):%Y-%m-%dT%H:%M:%SZ}"
    return for_google({"at": written})["at"] if told[2] else written


def unknown(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: unknown(one) for name, one in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list):
        return [unknown(one) for one in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return NOT_YET if value == "?" else value


CASES: list[dict[str, Any]] = [
    {key: value for key, value in DOCUMENT["usual"].items() if key != "tags"} | case for case in DOCUMENT["case"]
]


def findings(case: dict[str, Any], allowed: Any) -> list[ruleset.Finding]:
    reader = reader_of(case["token"])
    assert reader is not None
    facts = reader(case["name"], plain(inputs_of(case)) | {OPTIONS: case.get("options", {})})
    return list(ruleset.judge(facts, allowed, NOW))
