"""Job files are judged as the same facts in a Pulumi program are."""

import json
import re
import tomllib
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from provisioner.cli.commands.check import of_job_files
from provisioner.domain.quantities import duration
from provisioner.rules import configuration
from provisioner.rules.configuration import Configuration
from provisioner.rules.ruleset import Finding, Outcome
from tests.rules.cases import NOW, SAFE, findings

DOCUMENT = tomllib.loads(Path(__file__).with_name("jobs.toml").read_text())
CASES: list[dict[str, Any]] = [DOCUMENT["usual"] | case for case in DOCUMENT["case"]]
DAY = re.compile(r"NOW([+-]\d+)d")


def named(case: dict[str, Any]) -> str:
    return case["name"]


def allowed(case: dict[str, Any]) -> Configuration:
    written = json.dumps(case["allowed"])
    day = DAY.sub(lambda found: f"{NOW.date() + timedelta(days=int(found[1]))}", written)
    return configuration.read(configuration.tables(case["environment"]) | json.loads(day), "mine.toml")


def broken(found: list[Finding]) -> list[str]:
    return sorted({one.rule for one in found if one.outcome is not Outcome.EXEMPT})


def several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]


def as_programs(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Cases as the big table has them: a machine for each type and region of the job."""
    ends = NOW + duration(job.get("max_duration", "24h"))
    spot = {"maxPrice": str(job["max_price"])} if "max_price" in job else {}
    market = {"instanceMarketOptions": {"marketType": "spot", "spotOptions": spot}}
    told = {"owner": "ann", "team": job.get("team", "unassigned"), "cost-center": job.get("cost_center", "unassigned"),
            "managed": "accelctl", "expires-at": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}  # fmt: skip
    return [
        {"name": kind, "token": "aws:ec2/instance:Instance", "tags": {f"accelctl:{key}": told[key] for key in told},
         "inputs": {"instanceType": kind} | ({} if "fallback" in job else market)
         | ({"region": region} if region else {}) | SAFE}
        for kind, region in product(several(job["instance"]), several(job.get("region")))
    ]  # fmt: skip


@pytest.fixture
def job_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Without settings of the user."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "job.toml"


def written(job: dict[str, Any]) -> str:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in ({"command": "python train.py"} | job).items())


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_job_file_breaks_what_the_table_says(case: dict[str, Any], job_file: Path) -> None:
    """Before any call."""
    job_file.write_text(written(case["job"]))

    assert broken(list(of_job_files([job_file], allowed(case)))) == case["rules"]


@pytest.mark.parametrize("case", [case for case in CASES if not case["file-only"]], ids=named)
def test_a_program_with_the_same_facts_breaks_the_same(case: dict[str, Any]) -> None:
    """One machine for each type and region that the job may have."""
    programs = as_programs(case["job"])

    assert broken([one for program in programs for one in findings(program, allowed(case))]) == case["rules"]


def test_the_table_has_enough_job_files() -> None:
    """At least 25, of which some pass and some do not."""
    assert len(CASES) >= 25
    assert min(sum(not case["rules"] for case in CASES), sum(bool(case["rules"]) for case in CASES)) >= 10
