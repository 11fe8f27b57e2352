"""python -m provisioner.rules.coverage: which rule looks at which resource type, as a table for each cloud.

Read off the rules' own verdicts: a rule looks at a type where it has something to say of one of which nothing is known,
or of an expensive one of which nothing more is said.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from provisioner.rules import configuration, enders, floor, readers, reaper, ruleset
from provisioner.rules.facts import UNKNOWN

CLOUDS = {"aws": "AWS", "gcp": "Google Cloud", "azure-native": "Azure", "azure": "Azure (classic provider)"}
DEAR = {
    "instanceType": "p5.48xlarge", "machineType": "a3-highgpu-8g", "size": "Standard_ND96isr_H100_v5",
    "hardwareProfile": {"vmSize": "Standard_ND96isr_H100_v5"}, "acceleratorType": "v5p-8",
    "launchSpecifications": [{"instanceType": "p5.48xlarge"}], "targetCapacity": 1,
    "endDateType": "limited", "endDate": "9999-01-01T00:00:00Z",
}  # fmt: skip
NOTHING_KNOWN: Any = UNKNOWN
PROBES: tuple[Mapping[str, Any], ...] = (NOTHING_KNOWN, DEAR)
PARTS = {
    **dict.fromkeys(reaper.READERS, "reaper-works"),
    **dict.fromkeys(floor.READERS, "security-floor"),
    **dict.fromkeys(enders.READERS, "ends-kept"),
}
"""What is no machine has one rule; that of schedules is one of whole stacks."""
ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)
STRICT = replace(configuration.load("development"), machines=("none",), regions=("nowhere",))


def rules_of(token: str) -> set[str]:
    """The names of the rules that look at a type."""
    if token in PARTS:
        return {PARTS[token]}
    found = [readers.READERS[token]("probe", probe) for probe in PROBES]
    return {
        rule.name
        for facts in found
        for rule in ruleset.RULES
        if rule.judges(facts) and ruleset.judged(rule, facts, STRICT, ANY_DAY)
    }


def table(cloud: str) -> str:
    """Markdown: a row for each type of the cloud, a column for each rule."""
    lines = [f"| Type | {' | '.join(ruleset.NAMES)} |", f"| --- |{' --- |' * len(ruleset.NAMES)}"]
    for token in sorted(one for one in readers.READERS.keys() - enders.READERS if one.startswith(f"{cloud}:")):
        held = rules_of(token)
        lines.append(f"| `{token}` | {' | '.join('●' if name in held else ' ' for name in ruleset.NAMES)} |")
    return "\n".join(lines)


def tables() -> str:
    """Of every cloud, as docs/rules.md holds them."""
    return "\n\n".join(f"### {title}\n\n{table(cloud)}" for cloud, title in CLOUDS.items())


if __name__ == "__main__":
    sys.stdout.write(f"{tables()}\n")
