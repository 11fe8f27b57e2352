"""reaper-aws under the real engine: the schedule and the interruption warning do the work, no process of ours lives."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from provisioner.sandbox.client import ask
from tests.e2e.estate import machines, measured, now, pass_hours
from tests.e2e.jobs import Job, accelctl, counting
from tests.engine.project import NO_CHANGE, PACK, Project, project
from tests.sandbox.world import aws, state_of, until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("sandbox")]
ROUND = 301


@pytest.fixture(scope="module")
def stack(sandbox: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The store is prepared, the function is deployed."""
    assert accelctl("setup").returncode == 0
    made = project(tmp_path_factory.mktemp("project"), "reaper-aws")
    made.up(*PACK)
    return made


def rounds_pass(count: int = 1) -> None:
    for _ in range(count):
        before = len(summaries())
        ask("clock", advance=str(ROUND))
        assert until(lambda before=before: len(summaries()) > before, 60), ask("status")["failed_functions"]


def summaries() -> list[dict[str, Any]]:
    """What each round said at its end, in the function's own log."""
    events = aws("logs").filter_log_events(logGroupName="/aws/lambda/accelctl-reaper")["events"]
    lines = [json.loads(one["message"]) for one in events if one["message"].startswith("{")]
    return [line for line in lines if line["what"] == "summary"]


def alarm_of(metric: str) -> dict[str, Any]:
    return next(one for one in aws("cloudwatch").describe_alarms()["MetricAlarms"] if one["MetricName"] == metric)


def succeeded_just_now() -> bool:
    """A round said so within the last two minutes."""
    found = aws("cloudwatch").get_metric_statistics(
        Namespace="accelctl/reaper", MetricName="Success", Period=60, Statistics=["Sum"],
        StartTime=now() - timedelta(minutes=2), EndTime=now() + timedelta(minutes=1),
    )  # fmt: skip
    return bool(found["Datapoints"])


def test_a_teardown_names_the_stack_though_nothing_of_it_is_in_ec2(stack: Project) -> None:
    """Its function would go on for ever, in an account that was said to hold nothing."""
    asked = accelctl("teardown", "--everything")

    assert asked.returncode == 2
    assert f"pulumi destroy --stack {stack.stack}" in asked.stderr


@pytest.mark.full
def test_a_second_reaper_is_refused_before_anything_of_it_is_made(stack: Project, tmp_path: Path) -> None:
    """An account needs one, and its names are taken: preview says whose they are."""
    second = project(tmp_path, "reaper-aws-2")
    done = second.run("preview", well=False)

    assert done.returncode != 0
    assert f"the function accelctl-reaper belongs to the stack '{stack.stack}'" in done.stdout


def test_what_is_deployed_is_watched_and_up_again_changes_nothing(stack: Project) -> None:
    """An alarm that counts silence as failure, a log that is kept for a month, a bundle that is the same."""
    alarm, failed = (alarm_of(metric) for metric in ("Success", "ApproximateNumberOfMessagesVisible"))
    (log,) = aws("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/accelctl")["logGroups"]
    held = aws("lambda").get_function(FunctionName="accelctl-reaper")["Configuration"]

    assert (alarm["TreatMissingData"], alarm["EvaluationPeriods"]) == ("breaching", 3)
    assert alarm_of("OldestUnknownSeconds")["Threshold"] == 24 * 3600
    assert failed["Dimensions"][0]["Value"] == held["DeadLetterConfig"]["TargetArn"].rsplit(":", 1)[-1]
    assert (log["retentionInDays"], held["MemorySize"], held["Timeout"]) == (30, 256, 600)
    assert held["Environment"]["Variables"] == {
        "ACCELCTL_REAP": "apply", "ACCELCTL_STORE": "accelctl-123456789012", "ACCELCTL_SCOPE": "accelctl",
    }  # fmt: skip
    stack.up(NO_CHANGE, *PACK)
    stack.run("refresh", "--yes", "--skip-preview", NO_CHANGE)


@pytest.mark.full
def test_a_store_that_is_not_there_is_named(stack: Project) -> None:
    """Before anything is made: every round would fail."""
    stack.refuses("bucket", "nosuch", "no such bucket")


def test_an_interrupted_job_is_carried_to_its_end_by_the_function_alone(stack: Project) -> None:
    """Its terminal is gone; the warning starts the function, which buys the next machine; a round closes it."""
    assert accelctl(*counting("carried", "--detach", steps=600)).returncode == 0
    job = Job("carried").holds(lambda found: found["attempts"])
    saved = {"Bucket": "accelctl-123456789012", "Prefix": f"jobs/{job['id']}/checkpoints/"}
    assert until(lambda: aws("s3").list_objects_v2(**saved).get("Contents"))
    ask("interrupt", instance=job["id"], notice="2")

    assert Job("carried").holds(lambda found: len(found["attempts"]) == 2)

    def closed() -> bool:
        rounds_pass()
        return (Job("carried").status() or {})["state"] == "succeeded"

    assert until(closed, 60), ask("status")["failed_functions"]
    assert ask("status")["failed_functions"] == []
    assert ask("status")["failed_schedules"] == []


def test_an_orphan_goes_home_after_its_grace_and_a_busy_machine_stays(stack: Project) -> None:
    """Marked by one round, ended by a later one; the figures say so."""
    with machines() as make:
        orphan, busy = make(job="20260101-000000-aaaaa"), make()
        pass_hours(1)
        measured(orphan, gpus=[0, 1])
        measured(busy, gpus=[0, 88])
        rounds_pass()
        tags = {tag["Key"] for tag in aws("ec2").describe_tags(
            Filters=[{"Name": "resource-id", "Values": [orphan]}])["Tags"]}  # fmt: skip
        assert "accelctl:reap" in tags
        assert state_of(orphan) == "running"
        pass_hours(2)
        measured(orphan, gpus=[0, 1])
        measured(busy, gpus=[0, 88])
        rounds_pass()
        assert until(lambda: state_of(orphan) == "terminated")
        assert state_of(busy) == "running"
    names = {one["MetricName"] for one in aws("cloudwatch").list_metrics(Namespace="accelctl/reaper")["Metrics"]}
    assert {"Success", "MachinesSeen", "MachinesIdle", "OldestUnknownSeconds"} <= names
    week = json.loads(accelctl("reap", "--summary", "--output", "json").stdout)
    assert orphan in [one["id"] for one in week["ended"]]


def test_its_role_ends_nothing_that_is_not_ours(stack: Project) -> None:
    """An unlabelled machine is refused to the very credentials that may end a labelled one."""
    from tests.sandbox.world import launch

    role = aws("lambda").get_function(FunctionName="accelctl-reaper")["Configuration"]["Role"]
    held = aws("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    import boto3

    session = boto3.Session(held["AccessKeyId"], held["SecretAccessKey"], held["SessionToken"])
    foreign = launch("sleep 60")["InstanceId"]
    assert until(lambda: state_of(foreign) == "running")
    with machines() as make:
        mine = make()
        aws("ec2", session=session).terminate_instances(InstanceIds=[mine])
        with pytest.raises(Exception, match="UnauthorizedOperation"):
            aws("ec2", session=session).terminate_instances(InstanceIds=[foreign])
    assert state_of(foreign) == "running"
    aws("ec2").terminate_instances(InstanceIds=[foreign])


@pytest.mark.full
def test_a_round_that_fails_for_good_is_a_dead_letter(stack: Project) -> None:
    """Its role may put it into the queue that the alarm watches; three periods without success are an alarm too."""
    queue = stack.outputs()["failures"]
    rounds_pass()
    assert until(succeeded_just_now)
    ask("clock", advance="61")
    assert until(lambda: alarm_of("Success")["StateValue"] == "OK")
    ask("fault", operation="DescribeInstances", code="UnauthorizedOperation", times="99")
    before = len(ask("status")["failed_functions"])
    for tries in range(6):
        ask("clock", advance=str(ROUND if not tries else 121))
        assert until(lambda tries=tries: len(ask("status")["failed_functions"]) > before + tries, 60)

    def letters() -> list[Any]:
        return aws("sqs").receive_message(QueueUrl=queue).get("Messages", [])

    assert until(letters, 60)[0]["Body"] == "{}"
    assert until(lambda: alarm_of("Success")["StateValue"] == "ALARM")
    ask("fault", operation="DescribeInstances", code="UnauthorizedOperation", times="0")


@pytest.mark.full
def test_report_changes_nothing_and_the_owners_topic_and_the_scope_are_keys(stack: Project) -> None:
    """In place: the same function only looks, at everybody's machines, and its role follows."""
    topic = "arn:aws:sns:us-east-1:123456789012:idle"
    stack.configure(reap="report", scope="account", ownerTopic=topic)
    stack.up()
    held = aws("lambda").get_function(FunctionName="accelctl-reaper")["Configuration"]
    role = held["Role"].rsplit("/", 1)[-1]
    policies = [aws("iam").get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
                for name in aws("iam").list_role_policies(RoleName=role)["PolicyNames"]]  # fmt: skip
    statements = {one["Sid"]: one["Resource"] for policy in policies for one in policy["Statement"]}
    assert (statements["TellOwners"], "MarkOthers" in statements) == (topic, True)
    assert held["Environment"]["Variables"]["ACCELCTL_SCOPE"] == "account"
    with machines() as make:
        orphan = make(job="20260101-000000-bbbbb")
        pass_hours(1)
        measured(orphan, gpus=[0, 1])
        rounds_pass(2)
        pass_hours(2)
        measured(orphan, gpus=[0, 1])
        rounds_pass()
        assert state_of(orphan) == "running"
        assert summaries()[-1]["acted"] == 0


def test_destroy_leaves_nothing(stack: Project) -> None:
    """No function, no schedule, no rule, no role, no log."""
    stack.run("destroy", "--yes", "--skip-preview")

    assert aws("lambda").list_functions()["Functions"] == []
    assert aws("scheduler").list_schedules()["Schedules"] == []
    assert aws("events").list_rules()["Rules"] == []
    assert aws("sqs").list_queues().get("QueueUrls", []) == []
    assert aws("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert not [role for role in aws("iam").list_roles()["Roles"] if role["RoleName"].startswith("reaper")]


def test_a_wrong_key_is_named(sandbox: dict[str, Any], tmp_path: Path) -> None:
    """Before anything is made."""
    made = project(tmp_path, "reaper-aws-wrong")
    made.run("config", "set", "every", "1s")
    done = made.run("preview", well=False)

    assert done.returncode != 0
    assert "accelctl:every" in done.stdout
