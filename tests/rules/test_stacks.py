"""What a whole stack has to bring: templates that give, schedules that close and end, and a reaper that is known."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from provisioner.rules import configuration, totals
from provisioner.rules.configuration import Configuration
from provisioner.rules.ruleset import Outcome
from tests.rules.cases import NOT_YET, NOW
from tests.rules.test_totals import (
    BLOCK,
    EIGHT_HOURS,
    FROM_TEMPLATE,
    GROUP,
    P5,
    REAPER,
    RESERVATION,
    TEMPLATE,
    WATCHED,
    facts,
    said,
)  # fmt: skip


def template_of(*marks: dict[str, str], **more: Any) -> tuple[str, dict[str, Any]]:
    """A template of p5 that gives its machines these labels; its own say an end, which reaches none."""
    rows = [
        {"resourceType": "volume", "tags": EIGHT_HOURS},
        *({"resourceType": "instance", "tags": one} for one in marks),
    ]
    return TEMPLATE[0], TEMPLATE[1] | {"name": "mine", "tagSpecifications": rows} | more


PAYS = {"owner": "ann", "team": "t", "cost-center": "c"}
SPOT_MARKET = {"instanceMarketOptions": {"marketType": "spot"}}


def launched(**more: Any) -> tuple[str, dict[str, Any]]:
    return P5[0], {"launchTemplate": {"id": NOT_YET}, "tags": PAYS} | more


@pytest.mark.parametrize(
    "stack",
    [
        [template_of(EIGHT_HOURS), launched()],
        [template_of(**SPOT_MARKET), launched()],
        [template_of(**SPOT_MARKET), launched(instanceType="p5.4xlarge")],
        [template_of(EIGHT_HOURS | PAYS), launched(tags={})],
        [template_of(), launched(tags=PAYS | EIGHT_HOURS)],
        [template_of(), template_of(**SPOT_MARKET), launched()],
        [template_of(), launched(launchTemplate={"name": "another"})],
        [template_of(instanceType="t3.nano"), launched()],
        [template_of(), launched(instanceType="t3.nano")],
        [template_of(EIGHT_HOURS)],
        [template_of(tags={}), launched(tags=PAYS | EIGHT_HOURS)],
        [TEMPLATE, GROUP],
    ],
    ids=[
        "its end",
        "its market",
        "its market and another type",
        "its labels",
        "an own end",
        "one of two",
        "no other's",
        "its cheap type",
        "a cheap type of its own",
        "others' end",
        "an own end, whatever the template says",
        "a group's",
    ],
)
def test_a_machine_is_judged_with_what_its_template_gives_it(stack: list[tuple[str, dict[str, Any]]]) -> None:
    """Where the template of the stack makes it right, or another one may be meant."""
    assert said(WATCHED, *stack) == {}


@pytest.mark.parametrize(
    "stack",
    [
        [template_of(), launched()],
        [template_of(), launched(launchTemplate={"name": "mine"})],
        [template_of(), template_of(), launched()],
        [template_of(EIGHT_HOURS), launched(tags={})],
        [template_of()],
    ],
    ids=["no end", "by its name", "neither of two", "no labels", "others' machines"],
)
def test_a_templates_own_labels_reach_no_machine(stack: list[tuple[str, dict[str, Any]]]) -> None:
    """A p5 on demand whose template alone carries labels has neither an end nor an owner."""
    assert said(WATCHED, *stack) == {"launched-from-templates": Outcome.VIOLATION}


OF_P5 = {"launchTemplate": {"overrides": [{"instanceType": "p5.48xlarge"}]}}
ON_SPOT = OF_P5 | {"instancesDistribution": {"onDemandPercentageAboveBaseCapacity": 0}}
SET_SIZES = "arn:aws:scheduler:::aws-sdk:autoscaling:updateAutoScalingGroup"
TO_ZERO = '{"AutoScalingGroupName": "mine", "MinSize": 0, "MaxSize": 0, "DesiredCapacity": 0}'
AT_EIGHT = {"scheduleExpression": f"at({NOW + timedelta(hours=8):%Y-%m-%dT%H:%M:%S})"}
LATER_CLOSED = ("aws:scheduler/schedule:Schedule", {"target": {"arn": SET_SIZES, "input": TO_ZERO}} | AT_EIGHT)


def group(**sizes: Any) -> tuple[str, dict[str, Any]]:
    return GROUP[0], {"name": "mine", "minSize": 0, "maxSize": 8, "mixedInstancesPolicy": OF_P5} | sizes


def closing(expression: str, **more: str) -> tuple[str, dict[str, Any]]:
    return LATER_CLOSED[0], LATER_CLOSED[1] | {"scheduleExpression": expression} | more


def at_night(**sizes: Any) -> tuple[str, dict[str, Any]]:
    return "aws:autoscaling/schedule:Schedule", {"autoscalingGroupName": "mine", "recurrence": "0 0 * * *"} | sizes


CLOSED = at_night(minSize=-1, maxSize=-1, desiredCapacity=0)


@pytest.mark.parametrize(
    "stack",
    [
        [group(desiredCapacity=8), CLOSED],
        [group(minSize=2), at_night()],
        [group(minSize=2), closing("cron(0 20 ? * MON-FRI *)")],
        [group(minSize=2), at_night(recurrence=NOT_YET)],
        [group(minSize=2), at_night(recurrence=None, startTime=f"{NOW + timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}")],
        [group(minSize=2), at_night(minSize=0, maxSize=0, desiredCapacity=0, autoscalingGroupName=NOT_YET)],
        [group(desiredCapacity=8), LATER_CLOSED],
        [group(desiredCapacity=8, mixedInstancesPolicy=ON_SPOT)],
        [group(mixedInstancesPolicy=ON_SPOT), at_night(desiredCapacity=8)],
        [group(), at_night(minSize=8, maxSize=8, desiredCapacity=8), CLOSED],
        [group(minSize=2, mixedInstancesPolicy={"launchTemplate": {"overrides": [{"instanceType": "c6a.large"}]}})],
    ],
    ids=[
        "at night",
        "at night, its least too",
        "on workdays",
        "at a time not known yet",
        "at its start",
        "not known yet",
        "once",
        "on spot",
        "opened on spot",
        "opened and closed",
        "cheap",
    ],
)
def test_a_group_that_a_schedule_closes_may_keep_machines(stack: list[tuple[str, dict[str, Any]]]) -> None:
    """Whatever its least is until then."""
    assert said(WATCHED, *stack) == {}


@pytest.mark.parametrize(
    "stack",
    [
        [group(minSize=2)],
        [group(minSize=2), at_night(desiredCapacity=0, autoscalingGroupName="another")],
        [group(minSize=2, mixedInstancesPolicy=ON_SPOT)],
        [group(desiredCapacity=8)],
        [group(desiredCapacity=8), (LATER_CLOSED[0], LATER_CLOSED[1] | {"state": "DISABLED"})],
        [group(), at_night(minSize=8, maxSize=8, desiredCapacity=8)],
        [group(mixedInstancesPolicy=ON_SPOT), at_night(minSize=8)],
        [group(minSize=8, desiredCapacity=NOT_YET)],
        [group(minSize=2), CLOSED],
        [group(minSize=2), closing("at(2020-01-01T00:00:00)")],
        [group(minSize=2), closing("at(2099-01-01T00:00:00)")],
        [group(minSize=2), closing("rate(1 day)", endDate="2020-01-01T00:00:00Z")],
        [group(minSize=2), at_night(endTime="2020-01-01T00:00:00Z")],
        [group(minSize=2), at_night(startTime="2099-01-01T00:00:00Z")],
        [group(minSize=2), at_night(recurrence=None)],
        [group(minSize=2), (LATER_CLOSED[0], {"target": LATER_CLOSED[1]["target"]})],
    ],
    ids=[
        "none",
        "another's",
        "kept on spot",
        "from the start",
        "off",
        "opened",
        "kept from a moment on",
        "as a stack policy sees it",
        "never below its least",
        "once, long ago",
        "once, in long",
        "daily, till long ago",
        "at night, till long ago",
        "at night, in long",
        "at no time",
        "by no expression",
    ],
)
def test_a_group_that_nothing_closes_may_keep_none(stack: list[tuple[str, dict[str, Any]]]) -> None:
    """Neither as its least, nor on demand from the start, nor by a schedule that only opens it."""
    assert said(WATCHED, *stack) == {"ends-kept": Outcome.VIOLATION}


STRICT = configuration.load("production")
TERMINATE = "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances"
SPOT_P5 = (P5[0], P5[1] | {"instanceMarketOptions": {"marketType": "spot"}})


def ends(machines: str, **more: str) -> tuple[str, dict[str, Any]]:
    return "aws:scheduler/schedule:Schedule", {"target": {"arn": TERMINATE, "input": machines}} | AT_EIGHT | more


def there(machine: str) -> tuple[str, dict[str, Any]]:
    return P5[0], P5[1] | {"arn": f"arn:aws:ec2:us-east-1:123456789012:instance/{machine}"}


MINE = ends('{"InstanceIds": ["i-1", "i-2"]}')


@pytest.mark.parametrize(
    ("allowed", "stack"),
    [
        (STRICT, [P5]),
        (STRICT, [FROM_TEMPLATE]),
        (STRICT, [there("i-3"), MINE]),
        (STRICT, [P5, ends(NOT_YET, state="DISABLED")]),
        (STRICT, [P5, ends(NOT_YET, scheduleExpression="at(2099-01-01T00:00:00)")]),
        (STRICT, [template_of(EIGHT_HOURS)]),
    ],
    ids=[
        "labels",
        "of a template elsewhere",
        "another's schedule",
        "a schedule that is off",
        "a schedule of 2099",
        "a template's labels",
    ],
)
def test_production_refuses_ends_that_labels_alone_say_where_no_reaper_is_known(
    allowed: Configuration, stack: list[tuple[str, dict[str, Any]]]
) -> None:
    """Development advises it."""
    assert said(allowed, *stack)["ends-kept"] is Outcome.VIOLATION
    assert "ends-kept" not in said(replace(allowed, reapers=("aws",)), *stack)
    assert set(said(configuration.load("development"), *stack)) == {"reaper-present"}


@pytest.mark.parametrize(
    "stack",
    [[P5, REAPER], [there("i-1"), there("i-2"), MINE], [P5, ends(NOT_YET)], [SPOT_P5], [BLOCK], [RESERVATION],
     [template_of(**SPOT_MARKET), launched(tags=PAYS | EIGHT_HOURS)], [TEMPLATE]],
    ids=["the reaper", "a schedule", "not known yet", "spot", "a block", "a reservation", "a spot template",
         "a template that launches nothing"],
)  # fmt: skip
def test_production_accepts_ends_that_something_keeps(stack: list[tuple[str, dict[str, Any]]]) -> None:
    """The reaper, a schedule of the stack, or the cloud itself."""
    assert "ends-kept" not in said(STRICT, *stack)


def test_the_advice_names_what_only_labels_end() -> None:
    """So that nobody takes a label for an end."""
    (finding,) = totals.judge(facts(P5), configuration.load("development"), NOW)

    assert "nothing is known to keep the ends that labels alone say: r0" in finding.what
