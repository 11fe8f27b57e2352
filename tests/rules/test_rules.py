"""One table of cases, through every door that can express it: the verdicts are equal."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from provisioner.cli.commands import check
from provisioner.errors import ConfigError
from provisioner.rules import configuration, ruleset, totals
from provisioner.rules.ruleset import Outcome
from tests.cli.test_command_line import accelctl
from tests.rules.cases import CASES, findings, inputs_of

DEVELOPMENT = configuration.load("development")
OFF = {"pattern": "*", "rule": "orphan-proof", "reason": "r", "owner": "ann", "until": "2030-01-01"}


SCHEDULES: list[dict[str, Any]] = [
    {"name": "ends-the-nd", "token": "azure-native:devtestlab:GlobalSchedule",
     "inputs": {"taskType": "ComputeVmShutdownTask", "dailyRecurrence": {"time": "1900"}}},
    {"name": "ends-the-tpu", "token": "gcp:cloudscheduler/job:Job",
     "inputs": {"schedule": "0 19 * * *",
                "httpTarget": {"httpMethod": "DELETE", "uri": "https://tpu.googleapis.com/v2/n"}}},
]  # fmt: skip
"""Of the two machines of the table that only a schedule ends."""


def named(case: dict[str, Any]) -> str:
    return case["name"]


def broken(found: list[ruleset.Finding], outcome: Outcome) -> list[str]:
    return sorted(one.rule for one in found if one.outcome is outcome)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_rules_say_what_the_table_says(case: dict[str, Any]) -> None:
    """Which rules are broken, and which cannot say yet."""
    found = findings(case, DEVELOPMENT)

    assert broken(found, Outcome.VIOLATION) == sorted(case["rules"])
    assert broken(found, Outcome.UNKNOWN) == sorted(case["unknown"])


def test_the_table_is_large_enough_for_each_door_that_reads_files_or_programs() -> None:
    """At least 60 cases; 25 through the pack, 25 through a preview, 25 that pass through a state; every rule of one."""
    passing = [case for case in CASES if not case["rules"] and not case["unknown"]]
    through = {"all": len(CASES), "pack": sum(case["engine"] for case in CASES), "state": len(passing)}
    broken_by_none = {*ruleset.NAMES} - {rule for case in CASES for rule in case["rules"]}

    assert through["all"] >= 60, through
    assert min(through.values()) >= 25, through
    assert broken_by_none == {"allowed-machines"}, "which wants a configuration, and has a test of its own"


def preview(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """The cases as `pulumi preview --json` writes them."""
    states = [
        {"urn": f"urn:pulumi:s::p::{case['token']}::{case['name']}", "type": case["token"], "inputs": inputs_of(case)}
        | case.get("options", {})
        for case in cases
    ]
    return {"steps": [{"op": "create", "newState": state} for state in states]}


def test_check_says_the_same_of_a_preview(tmp_path: Path) -> None:
    """`accelctl check`: exit 3, every finding of the table and no other."""
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(preview(CASES)))

    done = accelctl("check", str(plan), "--output", "json", cwd=tmp_path)

    said = {(one["subject"], one["rule"], one["outcome"]) for one in json.loads(done.stdout)["findings"]}
    said = {one for one in said if one[0] != totals.SUBJECT}
    expected = {(case["name"], rule, "violation") for case in CASES for rule in case["rules"]}
    expected |= {(case["name"], rule, "unknown") for case in CASES for rule in case["unknown"]}
    assert (done.returncode, said) == (3, expected)


def test_check_says_the_same_of_a_state(tmp_path: Path) -> None:
    """`pulumi stack export` of what passes: exit 0."""
    good = [case for case in CASES if not case["rules"] and not case["unknown"]]
    resources = [step["newState"] for step in preview([*good, *SCHEDULES])["steps"]]
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"version": 3, "deployment": {"resources": resources}}))

    done = accelctl("check", str(state), cwd=tmp_path)

    assert (done.returncode, "no violation" in done.stderr) == (0, True), done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n"steps": [\n', "line 3"),
        ("[]", "neither a preview nor a stack"),
        ("{}", "stack export"),
        ('{"steps": []}', "this preview failed: it has no step"),
        (
            '{"steps": [{"op": "delete"}], "diagnostics": [{"severity": "error", "message": "error: boom"}]}',
            "this preview failed: boom",
        ),
        ('{"deployment": []}', "neither a preview nor a stack"),
        ('{"steps": [{"op": "create"}]}', "resource 1 has no state"),
        ('{"steps": ["create"]}', "resource 1 has no state"),
        ('{"deployment": {"resources": [{"urn": "x"}]}}', "resource 1 has no type"),
        ('{"deployment": {"resources": [{"type": "a:b:C"}]}}', "resource 1 has no urn"),
        ('{"deployment": {"resources": [{"type": "a:b:C", "urn": "x", "inputs": [1]}]}}', "resource 1 has inputs"),
    ],
)
def test_a_malformed_file_is_exit_2(tmp_path: Path, text: str, said: str) -> None:
    """With its line, or what it should have been."""
    file = tmp_path / "plan.json"
    file.write_text(text)

    done = accelctl("check", str(file), cwd=tmp_path)

    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_finding_says_what_it_costs_and_how_to_mend_it() -> None:
    """USD per hour and per month; an unknown price is said, never 0."""
    (dear,) = findings(next(case for case in CASES if case["name"] == "p5-on-demand"), DEVELOPMENT)
    (strange,) = findings(next(case for case in CASES if case["name"] == "a-type-nobody-knows"), DEVELOPMENT)

    assert "$55.04/h" in str(dear)
    assert dear.usd_per_month is not None
    assert dear.usd_per_month == dear.usd_per_hour * 730  # type: ignore[operator]
    assert "buy it as spot" in str(dear)
    assert "an unknown price" in str(strange)


def test_a_machine_of_a_template_costs_what_that_does() -> None:
    """Its price is the template's, which has a finding of its own."""
    made = {"name": "made", "token": "aws:ec2/instance:Instance", "inputs": {"launchTemplate": {"id": "?"}}}
    (first, *_) = findings(made, DEVELOPMENT)

    assert "the price of its template" in str(first)


def test_a_tpu_by_its_topology_costs_what_its_chips_cost() -> None:
    """As the same slice by its name does."""
    by_name, by_topology = (
        findings(next(case for case in CASES if case["name"] == name), DEVELOPMENT)[0].usd_per_hour
        for name in ("a-tpu-on-demand", "a-tpu-of-eight-chips-by-its-topology")
    )

    assert by_name is not None
    assert by_name == by_topology


def test_production_wants_labels_that_say_something() -> None:
    """`unassigned` is good enough for development only."""
    case = next(case for case in CASES if case["name"] == "p5-spot") | {"tags": {"accelctl:cost-center": "unassigned"}}

    assert findings(case, DEVELOPMENT) == []
    assert [one.rule for one in findings(case, configuration.load("production"))] == ["required-labels"]


def test_only_what_is_allowed() -> None:
    """Types by pattern."""
    case = next(case for case in CASES if case["name"] == "p5-spot")

    assert findings(case, replace(DEVELOPMENT, machines=("p5.*",))) == []
    assert [one.rule for one in findings(case, replace(DEVELOPMENT, machines=("g5.*",)))] == ["allowed-machines"]


@pytest.mark.parametrize(
    ("name", "inputs", "outcome"),
    [
        ("p5-spot", {"region": "us-east-1"}, None),
        ("p5-spot", {"availabilityZone": "us-east-1a"}, None),
        ("p5-spot", {"availabilityZone": "us-west-2-lax-1a"}, Outcome.VIOLATION),
        ("p5-spot", {}, Outcome.UNKNOWN),
        ("p5-spot", {"region": "?"}, Outcome.UNKNOWN),
        ("a-workbench-that-goes-when-idle", {"location": "us-central1-a"}, None),
        ("a-workbench-that-goes-when-idle", {"location": "us-central2-b"}, Outcome.VIOLATION),
        ("an-aks-cluster-whose-pool-may-go", {"location": "East US"}, None),
        ("an-aks-cluster-whose-pool-may-go", {"location": "westeurope"}, Outcome.VIOLATION),
    ],
)
def test_only_where_it_is_allowed(name: str, inputs: dict[str, Any], outcome: Outcome | None) -> None:
    """By region, however it is written; where its provider alone says the region, nobody can tell."""
    case = next(case for case in CASES if case["name"] == name)
    allowed = replace(DEVELOPMENT, regions=("us-east-1", "us-central1", "eastus"))

    found = findings(case | {"inputs": case["inputs"] | inputs}, allowed)

    assert [(one.rule, one.outcome) for one in found] == ([("allowed-machines", outcome)] if outcome else [])


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"longest_ent": "3d"}, "longest_end"),
        ({"longest_end": "soon"}, "soon"),
        ({"exemptions": [{"pattern": "*", "rule": "no-such", "reason": "r", "owner": "o", "until": date(2030, 1, 1)}]},
         "no-such"),
        (OFF | {"until": "never"}, "until 'never' is no day"),
        (OFF | {"reason": ""}, "does not say its reason"),
        (OFF | {"owner": "  "}, "does not say its owner"),
        (OFF | {"until": None}, "until 'None' is no day"),
        (OFF | {"untill": "2030-01-01"}, "'untill' is not known"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_named(tables: dict[str, Any], said: str) -> None:
    """The key, the value, or the rule."""
    tables = {"exemptions": [tables]} if "pattern" in tables else tables
    with pytest.raises(ConfigError) as refused:
        configuration.read(tables, "mine.toml", rules=ruleset.NAMES)

    assert said in f"{refused.value.message} {refused.value.hint}"


@pytest.mark.parametrize(
    ("text", "environment", "code"),
    [
        ('instances = ["p5.48xlarge"]\ncommand = "python train.py"\n', "development", 0),
        ('instances = ["p5.48xlarge"]\ncommand = "python train.py"\n', "production", 3),
        ('instances = ["p5.48xlarge"]\ncommand = "t"\nteam = "vision"\ncost_center = "42"\n', "production", 0),
        (
            'instances = ["p5.48xlarge"]\ncommand = "t"\nfallback = "on-demand"\nmax_duration = "30d"\n',
            "development",
            3,
        ),
        ("instances = [\n", "development", 2),
        ('instances = ["p5.48xlarg"]\ncommand = "t"\n', "development", 2),
    ],
)
def test_a_job_file_is_judged_as_spot_train_would_be(tmp_path: Path, text: str, environment: str, code: int) -> None:
    """The same rules, without a cloud; a malformed one is exit 2."""
    file = tmp_path / "job.toml"
    file.write_text(text)

    done = accelctl("check", str(file), "--environment", environment, cwd=tmp_path)

    assert done.returncode == code, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("own", "flags", "code"),
    [
        ('environment = "production"\n', (), 3),
        ('environment = "production"\n', ("--environment", "development"), 0),
        ('rules = "mine.toml"\n', (), 3),
        ('rules = "mine.toml"\n', ("--config", "wide.toml"), 0),
    ],
)
def test_a_job_file_brings_its_own_rules_unless_others_are_said(
    tmp_path: Path, own: str, flags: tuple[str, ...], code: int
) -> None:
    """As for `spot-train`, which exits the same."""
    (tmp_path / "job.toml").write_text(f'instances = ["p5.48xlarge"]\ncommand = "t"\n{own}')
    (tmp_path / "mine.toml").write_text('machines = ["g5.*"]\n')
    (tmp_path / "wide.toml").write_text('machines = ["*"]\n')

    done = accelctl("check", "job.toml", *flags, cwd=tmp_path)

    assert done.returncode == code, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("p5-with-a-label-that-no-reaper-heeds", "accelctl:managed=accelctl"),
        ("a-notebook-with-a-label-that-ends-nothing", "cheaper type"),
        ("an-a3-with-a-label-that-ends-nothing", "max_run_duration"),
        ("a-tpu-with-a-label-that-ends-nothing", "gcp-tpu-v5e"),
        ("an-nd-with-a-label-that-ends-nothing", "azure-nd"),
    ],
)
def test_a_label_that_nothing_heeds_is_named_and_the_advice_fits_the_type(name: str, advice: str) -> None:
    """Only what would really end the machine is advised."""
    (found,) = findings(next(case for case in CASES if case["name"] == name), DEVELOPMENT)

    assert "its label accelctl:expires-at ends nothing" in found.what
    assert advice in found.what
    assert advice.startswith("accelctl:") or "accelctl:managed" not in found.what


def test_a_type_that_cannot_be_is_named_with_the_nearest_and_one_that_may_be_is_said(tmp_path: Path) -> None:
    """By the catalog alone: no cloud is asked. A step that takes something away needs no state."""
    (tmp_path / "wrong.toml").write_text('instance = "p5.48xlarg"\ncommand = "t"\nfallback = "on-demand"\n')
    (tmp_path / "new.toml").write_text('instance = "p9.48xlarge"\ncommand = "t"\n')
    (tmp_path / "plan.json").write_text('{"steps": [{"op": "delete"}]}')

    wrong = accelctl("check", "wrong.toml", cwd=tmp_path)
    new = accelctl("check", "new.toml", "plan.json", cwd=tmp_path)

    assert (wrong.returncode, "p5.48xlarge" in wrong.stderr) == (2, True), wrong.stderr
    assert (new.returncode, "'p9.48xlarge' is unknown to the catalog" in new.stderr) == (0, True), new.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("batch-that-keeps-processors", "at least 192 vCPUs for ever"),
        ("batch-of-a-family", "at least 1 vCPU for ever"),
        ("a-fleet-that-keeps-four", "at least 4 machines for ever"),
    ],
)
def test_what_is_kept_is_counted_in_what_it_is(name: str, said: str) -> None:
    """As people write numbers, though the engine gives them with a point."""
    case = json.loads(json.dumps(next(case for case in CASES if case["name"] == name)), parse_int=float)
    (found,) = findings(case, DEVELOPMENT)

    assert said in found.what


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        ("aws:ec2/instance:Instance", {"instanceType": ["p5.48xlarge"]}),
        ("aws:ec2/instance:Instance", {"instanceType": {"p5": 1}}),
        ("aws:ec2/instance:Instance", {"instanceType": "p5.48xlarge", "tags": "x"}),
        ("aws:ec2/instance:Instance", {"instanceType": "p5.48xlarge", "ebsBlockDevices": 5}),
        ("aws:autoscaling/group:Group", {"minSize": "two"}),
        ("aws:autoscaling/group:Group", {"minSize": 1, "maxSize": "many"}),
        ("aws:autoscaling/group:Group", {"minSize": 1, "desiredCapacity": "8"}),
        ("aws:autoscaling/schedule:Schedule", {"minSize": "two"}),
        ("aws:eks/nodeGroup:NodeGroup", {"instanceTypes": 3}),
        ("aws:scheduler/schedule:Schedule", {"name": 7}),
        ("gcp:container/nodePool:NodePool",
         {"nodeConfig": {"machineType": "n1-standard-4", "guestAccelerators": [{"type": "t", "count": "many"}]}}),
    ],
)  # fmt: skip
def test_an_input_of_a_wrong_kind_is_exit_2_with_the_resources_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str, inputs: dict[str, Any]
) -> None:
    """It is a fault of the file, and none of accelctl."""
    (tmp_path / "plan.json").write_text(json.dumps(preview([{"name": "odd-one", "token": token, "inputs": inputs}])))
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError) as refused:
        list(check.judged(check.resources([Path("plan.json")]), DEVELOPMENT))

    assert refused.value.message.startswith(f"odd-one ({token}): an input is of the wrong kind: ")


@pytest.mark.parametrize(
    "hidden", ["[secret]", {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1"}]
)
def test_a_secret_among_the_inputs_is_what_nobody_knows(tmp_path: Path, hidden: Any) -> None:
    """As a preview hides it, and as an exported state does: the rest is judged."""
    case = {"name": "hides", "token": "aws:ec2/instance:Instance", "inputs": {"instanceType": "p5.48xlarge"}}
    plan = preview([case])
    plan["steps"][0]["newState"]["inputs"]["tags"] = hidden
    (tmp_path / "plan.json").write_text(json.dumps(plan))

    found = {one.rule: one.outcome for one in check.judged(check.resources([tmp_path / "plan.json"]), DEVELOPMENT)}

    assert (found["required-labels"], found["accelerator-not-always-on"]) == (Outcome.UNKNOWN, Outcome.UNKNOWN)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing.toml",), ("nothing.toml: cannot be read",)),
        (("odd.toml",), ("odd.toml: has an unknown key 'bananas'",)),
        (("idle.toml",), ("idle.toml: the command is missing", 'command = "python train.py"')),
        (("bare.toml",), ("bare.toml: instance is missing", "such as instance p4d")),
        (("bare.toml", "--region", "us-east-1"), ("--region goes with --live",)),
    ],
)
def test_what_is_wrong_with_a_job_file_is_said_in_its_own_words(
    tmp_path: Path, arguments: tuple[str, ...], said: tuple[str, ...]
) -> None:
    """No flag that the command does not have."""
    (tmp_path / "odd.toml").write_text('instance = "p4d.24xlarge"\ncommand = "x"\nbananas = 1\n')
    (tmp_path / "idle.toml").write_text('instance = "p4d.24xlarge"\n')
    (tmp_path / "bare.toml").write_text('command = "x"\n')

    done = accelctl("check", *arguments, cwd=tmp_path)

    assert done.returncode == 2
    assert all(one in done.stderr for one in said), done.stderr
    assert "--job-file" not in done.stderr
    assert "behind --" not in done.stderr
