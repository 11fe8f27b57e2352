"""Regions are looked at side by side, at a pace that AWS allows, and none of them stops the others."""

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from provisioner.cli.regions import looked_at
from provisioner.clouds.aws.allowance import Allowance, Bucket, Quota
from provisioner.reaper.round import Round
from provisioner.workplace import Workplace
from tests.estate.serving import serving
from tests.estate.tables import Estate, id_of

REGIONS = ["us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1"]


def swept() -> Round:
    return Workplace().rounds("test").run(REGIONS, apply=False)


def by_region(done: Round) -> Counter[str]:
    return Counter(one.machine.instance.region for one in done.report.machines)


def test_four_regions_are_looked_at_side_by_side_and_nothing_is_asked_twice() -> None:
    """Neither of CloudWatch nor of EC2, word for word; whose account it is and what time it is, once each."""
    with serving(Estate(machines=6), latency=0.02) as estate:
        done = swept()

    assert by_region(done) == dict.fromkeys(REGIONS, 6)
    assert estate.together > 1
    asked = [(region, action) for (region, action, _), times in estate.calls.items() if times > 1]
    assert set(asked) <= {("us-east-1", "GetCallerIdentity")}
    assert done.failed == []


def test_a_region_that_is_off_is_named_and_the_others_are_judged() -> None:
    """Its machines and its leftovers: each is said once, and not one machine elsewhere is missed."""
    with serving(Estate(machines=6, off=frozenset({"us-west-2"}))):
        done = swept()

    assert by_region(done) == dict.fromkeys([one for one in REGIONS if one != "us-west-2"], 6)
    assert [one.region for one in done.report.blind] == ["us-west-2"]
    assert {one.region for one in done.others if one.outcome == "refused"} == {"us-west-2"}
    assert all("us-west-2" in line for line in done.failed)


WEST, QUIET = "us-west-2", "eu-west-1"
"""One where something of ours runs though no setup was begun there, as a stack makes it, and one that is empty."""


def spread(**more: Any) -> Estate:
    return Estate(machines=2, regions=("us-east-1", WEST, QUIET), empty=frozenset({QUIET}), **more)


def swept_everywhere() -> Round:
    place = Workplace()
    return place.rounds("test").run(place.inhabited(), apply=False)


def test_machines_of_ours_are_seen_where_no_setup_was_begun_and_an_empty_region_costs_one_request() -> None:
    """A stack may be in any region that the account has enabled."""
    with serving(spread()) as estate:
        done = swept_everywhere()

    assert by_region(done) == {"us-east-1": 2, WEST: 2}
    assert [action for (region, action, _) in estate.calls if region == QUIET] == ["DescribeTags"]
    assert done.failed == []


def test_where_nobody_may_list_regions_the_known_ones_are_judged_and_the_others_are_said_to_be_unseen() -> None:
    """Not to have looked is not to have found nothing."""
    with serving(spread(denied=frozenset({"DescribeRegions"}))):
        done = swept_everywhere()

    assert by_region(done) == {"us-east-1": 2}
    assert [one.region for one in done.report.blind] == ["every other region"]


def test_who_may_not_list_regions_may_still_name_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting is for accounts whose organisation shuts the others: a refusal is no verdict on a name."""
    monkeypatch.setenv("ACCELCTL_LOOK_IN", "us-west-2")
    with serving(spread(denied=frozenset({"DescribeRegions"}))):
        assert set(looked_at(Workplace(), ())) == {"us-east-1", "us-west-2"}


def test_whoever_names_regions_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a policy of the organisation shuts the others, nobody wants to hear of them."""
    monkeypatch.setenv("ACCELCTL_LOOK_IN", QUIET)
    with serving(spread()) as estate:
        done = swept_everywhere()

    assert by_region(done) == {"us-east-1": 2}
    assert WEST not in {region for (region, _, _) in estate.calls}


def test_where_jobs_may_rent_says_nothing_of_where_machines_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack of the same account may run anywhere."""
    monkeypatch.setenv("ACCELCTL_REGIONS", "us-east-1")
    with serving(spread()):
        done = swept_everywhere()

    assert by_region(done) == {"us-east-1": 2, WEST: 2}


def test_the_whole_account_is_looked_at_in_every_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others' machines carry no label that could tell where they are."""
    monkeypatch.setenv("ACCELCTL_SCOPE", "account")
    nobodys = {one: {"team": "x"} for one in (id_of(0), id_of(1))}
    with serving(spread(labels=nobodys)):
        done = swept_everywhere()

    assert by_region(done) == {"us-east-1": 2, WEST: 2}


class Watch:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def passed(bucket: Bucket, watch: Watch, calls: int) -> list[float]:
    """When each of them may be made."""
    at: list[float] = []
    for _ in range(calls):
        watch.wait(bucket.take())
        at.append(watch.now)
    return at


def test_no_second_holds_more_calls_than_the_quota() -> None:
    """A burst first, then the rate."""
    watch = Watch()
    at = passed(Bucket(Quota(rate=25, burst=25), time=watch.time), watch, 100)

    assert at[24] == 0.0
    assert 2.9 < at[-1] < 3.1
    assert all(after >= before for before, after in pairwise(at))


def test_a_bucket_that_is_told_to_slow_down_recovers() -> None:
    """Others use the same account: at half the rate first, at the whole one a minute later."""
    watch = Watch()
    bucket = Bucket(Quota(rate=20, burst=20), time=watch.time)
    passed(bucket, watch, 20)
    bucket.slow_down()
    assert watch.now + bucket.take() >= 0.09
    watch.wait(60.0)
    at = passed(bucket, watch, 60)

    assert at[-1] - at[0] < 2.5


def test_points_are_counted_as_asked_for_and_regions_have_quotas_of_their_own() -> None:
    """500 series of two hours are 12,000 points; 180,000 go at once, the rest wait; another region does not."""
    waited: list[float] = []
    allowance = Allowance(waited.append)
    for _ in range(15):
        allowance.points("us-east-1", 12_000)
    assert not waited
    allowance.points("us-east-1", 12_000)
    allowance.points("us-west-2", 12_000)

    assert len(waited) == 1
