"""What the rules say of a whole stack: its cost, its machines, and who sends them home."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from provisioner.catalog import labels
from provisioner.rules import configuration, packs, totals
from provisioner.rules.configuration import Configuration, Exemption
from provisioner.rules.documents import plain
from provisioner.rules.facts import Facts
from provisioner.rules.readers import reader_of
from provisioner.rules.ruleset import Outcome
from tests.cli.test_command_line import accelctl
from tests.rules.cases import NOT_YET, NOW

WATCHED = replace(configuration.load("development"), reapers=("aws",))
EIGHT_HOURS = {"accelctl:managed": "accelctl", "accelctl:expires-at": f"{NOW + timedelta(hours=8):%Y-%m-%dT%H:%M:%SZ}"}
P5 = ("aws:ec2/instance:Instance", {"instanceType": "p5.48xlarge", "tags": EIGHT_HOURS})
FOREVER = ("aws:ec2/instance:Instance", {"instanceType": "p5.48xlarge"})
TEMPLATE = ("aws:ec2/launchTemplate:LaunchTemplate", {"instanceType": "p5.48xlarge", "tags": EIGHT_HOURS})
FROM_TEMPLATE = ("aws:ec2/instance:Instance", {"launchTemplate": {"id": "?"}, "tags": EIGHT_HOURS})
TARGET = {"capacityReservationSpecification": {"capacityReservationTarget": {"capacityReservationId": "?"}}}
RESERVED = ("aws:ec2/launchTemplate:LaunchTemplate", {"instanceType": "p5.48xlarge", "tags": EIGHT_HOURS} | TARGET)
RESERVATION = (
    "aws:ec2/capacityReservation:CapacityReservation",
    {"instanceType": "p5.48xlarge", "instanceCount": 2, "endDateType": "limited",
     "endDate": EIGHT_HOURS["accelctl:expires-at"]},
)  # fmt: skip
BLOCK = ("aws:ec2/capacityBlockReservation:CapacityBlockReservation", {"capacityBlockOfferingId": "cb-0"})
STRANGE = ("aws:ec2/instance:Instance", {"instanceType": "q9.huge", "tags": EIGHT_HOURS})
GROUP = (
    "aws:autoscaling/group:Group",
    {"maxSize": 4, "mixedInstancesPolicy": {"launchTemplate": {"overrides": [{"instanceType": "g5.12xlarge"}]}}},
)
REAPER = ("aws:scheduler/schedule:Schedule", {"name": "accelctl-reaper"})


def facts(*resources: tuple[str, dict[str, Any]]) -> list[Facts]:
    found: list[Facts] = []
    for number, (token, inputs) in enumerate(resources):
        reader = reader_of(token)
        assert reader is not None
        found.append(reader(f"r{number}", plain(inputs)))
    return found


def said(allowed: Configuration, *resources: tuple[str, dict[str, Any]]) -> dict[str, Outcome]:
    return {one.rule: one.outcome for one in totals.judge(facts(*resources), allowed, NOW)}


def test_a_stack_within_its_budget_is_passed_over() -> None:
    """Two p5 for eight hours at $55.04 are $881."""
    assert said(replace(WATCHED, budget=Decimal(900)), P5, P5) == {}
    assert said(replace(WATCHED, budget=Decimal(800)), P5, P5) == {"budget": Outcome.VIOLATION}


def test_what_never_ends_counts_for_a_month() -> None:
    """730 hours."""
    assert said(replace(WATCHED, budget=Decimal(40_000)), FOREVER) == {"budget": Outcome.VIOLATION}
    assert said(replace(WATCHED, budget=Decimal(41_000)), FOREVER) == {}


def test_what_comes_from_a_template_costs_what_the_template_says() -> None:
    """The template itself is no machine."""
    found = replace(WATCHED, budget=Decimal(900))

    assert said(found, TEMPLATE, FROM_TEMPLATE, FROM_TEMPLATE) == {}
    assert said(found, TEMPLATE, FROM_TEMPLATE, FROM_TEMPLATE, FROM_TEMPLATE) == {"budget": Outcome.VIOLATION}


def test_machines_in_capacity_that_the_stack_pays_for_cost_nothing_more() -> None:
    """Two p5 reserved for eight hours are $881, used or not, and two machines; in somebody else's they count."""
    found = replace(WATCHED, budget=Decimal(900), most_machines=2)

    assert said(found, RESERVATION, RESERVED, FROM_TEMPLATE, FROM_TEMPLATE) == {}
    assert said(replace(found, budget=Decimal(800)), RESERVATION, RESERVED) == {"budget": Outcome.VIOLATION}
    assert said(replace(found, budget=Decimal(800)), RESERVED, *[FROM_TEMPLATE] * 2) == {"budget": Outcome.VIOLATION}


def test_a_capacity_block_has_a_price_that_only_its_offering_says() -> None:
    """Named, not counted as nothing; its machines cost nothing more."""
    allowed = replace(WATCHED, budget=Decimal(1), most_machines=2)
    (finding,) = totals.judge(facts(BLOCK, RESERVED, FROM_TEMPLATE, FROM_TEMPLATE), allowed, NOW)

    assert (finding.rule, finding.outcome) == ("budget", Outcome.UNKNOWN)
    assert "r0" in finding.what


def test_machines_of_a_capacity_block_need_no_reaper() -> None:
    """They are paid for, and AWS takes them back."""
    market = {"instanceMarketOptions": {"marketType": "capacity-block"}}
    template = (RESERVED[0], RESERVED[1] | market)

    assert said(configuration.load("development"), BLOCK, template, FROM_TEMPLATE) == {}
    assert set(said(configuration.load("development"), TEMPLATE, FROM_TEMPLATE)) == {"reaper-present"}


def test_a_price_that_nobody_knows_is_said_and_never_nothing() -> None:
    """By name, beside what is known; over the budget without it, it is a violation all the same."""
    allowed = replace(WATCHED, budget=Decimal(900))
    (finding,) = totals.judge(facts(P5, STRANGE), allowed, NOW)

    assert finding.outcome is Outcome.UNKNOWN
    assert "r1" in finding.what
    assert said(allowed, P5, P5, P5, STRANGE) == {"budget": Outcome.VIOLATION}


@pytest.mark.parametrize(("days", "outcome"), [(1, Outcome.EXEMPT), (-1, Outcome.VIOLATION)])
def test_a_total_is_let_off_as_any_rule_is(days: int, outcome: Outcome) -> None:
    """By the rule's name and the stack, until a day."""
    until = NOW.date() + timedelta(days=days)
    exemption = Exemption(pattern="the stack", rule="budget", reason="a demonstration", owner="ann", until=until)
    allowed = replace(WATCHED, budget=Decimal(800), exemptions=(exemption,))

    assert said(allowed, P5, P5) == {"budget": outcome}


def test_machines_are_counted_at_their_most() -> None:
    """A group counts with its largest size."""
    assert said(replace(WATCHED, most_machines=5), GROUP, P5) == {}
    assert said(replace(WATCHED, most_machines=4), GROUP, P5) == {"machines-counted": Outcome.VIOLATION}


def test_where_no_reaper_is_known_it_is_advised() -> None:
    """Unless it comes with the stack, or the configuration knows of one; cheap machines need none."""
    unwatched = replace(WATCHED, reapers=())

    assert said(unwatched, P5) == {"reaper-present": Outcome.VIOLATION}
    assert said(unwatched, P5, REAPER) == {}
    assert said(unwatched, ("aws:ec2/instance:Instance", {"instanceType": "inf2.xlarge"})) == {}


@pytest.mark.parametrize(("budget", "code"), [("900", 0), ("100", 3)])
def test_check_judges_the_whole_plan(tmp_path: Path, budget: str, code: int) -> None:
    """An advice alone is exit 0; a budget that is exceeded is exit 3 and says by how much."""
    tags = EIGHT_HOURS | {"owner": "ann", "team": "t", "cost-center": "c"}
    inputs = P5[1] | {"tags": tags, "metadataOptions": {"httpTokens": "required"},
                      "rootBlockDevice": {"encrypted": True}}  # fmt: skip
    state = {"urn": f"urn:pulumi:s::p::{P5[0]}::machine", "type": P5[0], "inputs": inputs}
    (tmp_path / "plan.json").write_text(json.dumps({"steps": [{"op": "create", "newState": state}]}))
    (tmp_path / "mine.toml").write_text(f"budget = {budget}\n")

    done = accelctl("check", "plan.json", "--config", "mine.toml", cwd=tmp_path)

    assert done.returncode == code, done.stdout + done.stderr
    assert "advisory reaper-present: the stack" in done.stdout
    assert ("it may cost $4" in done.stdout) == bool(code)


ENDED = {"accelctl:managed": "accelctl", "accelctl:stack": "mine"} | EIGHT_HOURS
ND = ("azure-native:compute:VirtualMachine", {"hardwareProfile": {"vmSize": "Standard_ND96isr_H100_v5"}, "tags": ENDED})
DAILY = {"dailyRecurrence": {"time": "1900"}, "timeZoneId": "W. Europe Standard Time"}
SHUTDOWN = (
    "azure-native:devtestlab:GlobalSchedule",
    {"taskType": "ComputeVmShutdownTask", "status": "Enabled"} | DAILY,
)
OLDER = ("azure:devtest/globalVMShutdownSchedule:GlobalVMShutdownSchedule", {"dailyRecurrenceTime": "1900"})
TPU = ("gcp:tpu/v2Vm:V2Vm", {"acceleratorType": "v5litepod-256", "labels": labels.for_google(ENDED)})
THEN = f"{NOW + timedelta(hours=8):%M %H %d %m *}"
JOB = (
    "gcp:cloudscheduler/job:Job",
    {"schedule": THEN, "httpTarget": {"httpMethod": "DELETE", "uri": "https://tpu.googleapis.com/v2/x"}},
)
LATER = (JOB[0], {"schedule": NOT_YET, "httpTarget": {"httpMethod": "DELETE", "uri": NOT_YET}})
SPOT = (ND[0], ND[1] | {"priority": "Spot"})


ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/"


def named(machine: str) -> tuple[str, dict[str, Any]]:
    return ND[0], ND[1] | {"vmName": machine}


def shutdown_of(machine: str) -> tuple[str, dict[str, Any]]:
    return SHUTDOWN[0], SHUTDOWN[1] | {"targetResourceId": f"{ID}{machine}"}


TPU_NAMED = (TPU[0], TPU[1] | {"name": "node-1"})
NODE_1 = "https://tpu.googleapis.com/v2/projects/p/locations/z/nodes/node-1"


def job_of(address: str) -> tuple[str, dict[str, Any]]:
    return JOB[0], {"schedule": THEN, "httpTarget": {"httpMethod": "DELETE", "uri": address}}


def shutdown_at(**recurrence: Any) -> tuple[str, dict[str, Any]]:
    return SHUTDOWN[0], {name: one for name, one in SHUTDOWN[1].items() if name not in DAILY} | recurrence


def unsaid(schedule: tuple[str, dict[str, Any]], name: str = "dailyRecurrenceTime") -> tuple[str, dict[str, Any]]:
    return schedule[0], {key: one for key, one in schedule[1].items() if key != name}


def job_at(line: str) -> tuple[str, dict[str, Any]]:
    return JOB[0], JOB[1] | {"schedule": line}


@pytest.mark.parametrize(
    "stack",
    [
        [ND, SHUTDOWN],
        [ND, SHUTDOWN, ND, SHUTDOWN],
        [TPU, JOB],
        [TPU, LATER],
        [SPOT],
        [P5],
        [named("a"), named("b"), shutdown_of("B"), shutdown_of("a")],
        [named("a"), ND, SHUTDOWN, shutdown_of("a")],
        [ND, shutdown_of("a")],
        [TPU_NAMED, job_of(NODE_1)],
        [ND, OLDER],
        [ND, shutdown_at(dailyRecurrence={"time": NOT_YET})],
    ],
    ids=[
        "a schedule",
        "one for each",
        "a job",
        "not known yet",
        "spot",
        "AWS has a reaper",
        "by name",
        "by name and by number",
        "a machine without a name",
        "a node by name",
        "the older provider's",
        "at a time that is not known yet",
    ],
)
def test_an_end_that_a_schedule_of_the_stack_keeps_is_one(stack: list[tuple[str, dict[str, Any]]]) -> None:
    """As our own stacks bring it."""
    assert said(WATCHED, *stack) == {}


@pytest.mark.parametrize(
    "stack",
    [[ND], [ND, ND, SHUTDOWN], [ND, (SHUTDOWN[0], SHUTDOWN[1] | {"status": "Disabled"})], [TPU, SHUTDOWN],
     [TPU, (JOB[0], JOB[1] | {"paused": True})], [named("a"), shutdown_of("b")],
     [named("a"), named("b"), shutdown_of("a"), shutdown_of("a")], [TPU_NAMED, job_of(f"{NODE_1}1")],
     [ND, shutdown_at()], [ND, shutdown_at(weeklyRecurrence={"weekdays": ["Monday"], "time": "1900"})],
     [ND, unsaid(OLDER)],
     [TPU, unsaid(JOB, "schedule")], [TPU, job_at("0 0 30 2 *")],
     [TPU, job_at(f"{NOW - timedelta(days=1):%M %H %d %m *}")]],
    ids=["none", "too few", "off", "another cloud's", "paused", "another machine's", "twice for one", "another node's",
         "never", "weekly", "never, of the older provider", "a job without a time", "on 30 February", "in a year"],
)  # fmt: skip
def test_labels_alone_end_nothing_where_no_reaper_runs(stack: list[tuple[str, dict[str, Any]]]) -> None:
    """Whoever wrote them: the machine would stay for ever."""
    assert said(WATCHED, *stack) == {"ends-kept": Outcome.VIOLATION}


def test_machines_of_every_cloud_that_only_labels_end_are_named() -> None:
    """Azure's hide no TPU."""
    (finding,) = totals.judge(facts(ND, TPU), WATCHED, NOW)

    assert "r0, r1" in finding.what


T4S = {"vmSize": "Standard_NC4as_T4_v3", "count": 1}
H100S = {"vmSize": "Standard_ND96isr_H100_v5", "count": 8}


@pytest.mark.parametrize("pools", [[T4S, H100S], [H100S, T4S]], ids=["the cheap one first", "the dear one first"])
def test_each_pool_of_a_cluster_costs_what_its_own_machines_cost(pools: list[dict[str, Any]]) -> None:
    """Nine machines, one of them cheap, in whatever order they are written."""
    token = "azure-native:containerservice:ManagedCluster"
    cluster = (token, {"location": "eastus", "agentPoolProfiles": pools})
    month = (Decimal("0.526") + 8 * Decimal("98.32")) * 730

    assert said(replace(WATCHED, budget=month - 1, most_machines=8), cluster) == {
        "budget": Outcome.VIOLATION, "machines-counted": Outcome.VIOLATION,
    }  # fmt: skip
    assert said(replace(WATCHED, budget=month + 1, most_machines=9), cluster) == {}


def test_a_total_that_cannot_be_added_up_has_a_policy_of_its_own_to_say_so() -> None:
    """Every total that can be unknown is among the policies of the pack, and no other."""
    endless = (GROUP[0], {"maxSize": NOT_YET, "mixedInstancesPolicy": GROUP[1]["mixedInstancesPolicy"]})
    allowed = replace(WATCHED, budget=Decimal(100_000), most_machines=5, reapers=())
    unknown = {name for name, outcome in said(allowed, endless, STRANGE, ND).items() if outcome is Outcome.UNKNOWN}

    assert {f"{name}-not-known" for name in unknown} == set(packs.UNKNOWN) == {
        "budget-not-known", "machines-counted-not-known",
    }  # fmt: skip


def test_two_resources_of_one_name_are_two() -> None:
    """Names are unique for each type alone."""
    (machine,), (group,) = facts(P5), facts(GROUP)

    found = list(totals.judge([machine, group], replace(WATCHED, most_machines=4), NOW))

    assert [one.rule for one in found] == ["machines-counted"]


def test_a_machine_that_is_surely_cheap_still_has_a_price_that_nobody_knows() -> None:
    """The budget says so: a bound is no price."""
    nano = ("aws:ec2/instance:Instance", {"instanceType": "t3.nano"})

    assert said(replace(WATCHED, budget=Decimal(10)), nano) == {"budget": Outcome.UNKNOWN}
