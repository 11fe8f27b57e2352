"""Functions run in the sandbox as on Lambda: bare, limited, as their role, started by schedules and events."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from provisioner.catalog.policies import document
from provisioner.sandbox.client import ask
from tests.sandbox.world import aws, launch, state_of, until

SERVICES = {"Service": ["lambda.amazonaws.com", "scheduler.amazonaws.com"]}
ROLE = document({"Effect": "Allow", "Principal": SERVICES, "Action": "sts:AssumeRole"})
ALLOWED = document({"Effect": "Allow", "Action": ["sqs:SendMessage", "lambda:InvokeFunction"], "Resource": "*"})
TELLS = """
import boto3, json, os
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
    return {"left": context.get_remaining_time_in_millis() > 0, "name": context.function_name}
"""


@pytest.fixture(scope="module")
def role(sandbox: dict[str, Any]) -> str:
    iam = aws("iam")
    made = iam.create_role(RoleName="runner", AssumeRolePolicyDocument=ROLE)["Role"]["Arn"]
    iam.put_role_policy(RoleName="runner", PolicyName="all", PolicyDocument=ALLOWED)
    return made


@pytest.fixture
def function(role: str) -> Iterator[Callable[..., str]]:
    """Makes a function of this source; its name."""
    made: list[str] = []

    def make(source: str, **more: Any) -> str:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("main.py", source)
        name = f"function-{len(made)}"
        aws("lambda").create_function(
            FunctionName=name, Role=role, Runtime="python3.11", Handler="main.handler",
            Code={"ZipFile": packed.getvalue()}, **({"Timeout": 20} | more),
        )  # fmt: skip
        made.append(name)
        return name

    yield make
    for name in made:
        aws("lambda").delete_function(FunctionName=name)


def invoked(name: str, event: Any = None) -> tuple[Any, str]:
    """The answer, and the kind of error."""
    done = aws("lambda").invoke(FunctionName=name, Payload=json.dumps(event or {}).encode())
    return done["Payload"].read().decode(), done.get("FunctionError", "")


def queue() -> str:
    return aws("sqs").create_queue(QueueName="told")["QueueUrl"]


def told() -> list[Any]:
    found = aws("sqs").receive_message(QueueUrl=queue(), MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(one["Body"]) for one in found]


def test_it_runs_as_its_role_with_its_environment(function: Callable[..., str]) -> None:
    """The event comes in, the answer goes out, boto3 is there as Lambda has it."""
    name = function(TELLS, Environment={"Variables": {"QUEUE": queue()}})
    answer, error = invoked(name, {"a": 1})

    assert (json.loads(answer), error) == ({"left": True, "name": name}, "")
    assert until(told) == [{"a": 1}]


def test_nothing_of_our_own_installation_is_there(function: Callable[..., str]) -> None:
    """What is not in the zip or in Lambda's runtime cannot be imported."""
    answer, error = invoked(function("import click\ndef handler(event, context): return 1\n"))

    assert error
    assert json.loads(answer)["errorType"] == "ModuleNotFoundError"


def test_its_role_decides_what_it_may(function: Callable[..., str]) -> None:
    """A call that the policy does not name is refused."""
    source = "import boto3\ndef handler(event, context): return boto3.client('ec2').describe_instances()\n"
    answer, error = invoked(function(source))

    assert error
    assert "UnauthorizedOperation" in answer


@pytest.mark.parametrize(
    ("body", "said", "limit"),
    [("import time; time.sleep(60)", "timed out", {"Timeout": 1}),
     ("x = bytearray(400 << 20); x[:] = b'1' * len(x)", "OutOfMemory", {"MemorySize": 128})],
)  # fmt: skip
def test_its_limits_hold(function: Callable[..., str], body: str, said: str, limit: dict[str, int]) -> None:
    """Time and memory end it, in Lambda's words."""
    answer, error = invoked(function(f"def handler(event, context):\n    {body}\n", **limit))

    assert error
    assert said in answer


def test_a_schedule_starts_it_again_and_again(function: Callable[..., str], role: str) -> None:
    """By the sandbox's clock, with the role of the schedule."""
    name = function(TELLS, Environment={"Variables": {"QUEUE": queue()}})
    arn = aws("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    aws("scheduler").create_schedule(
        Name="often", ScheduleExpression="rate(5 minutes)", FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": role, "Input": '{"from": "schedule"}'},
    )  # fmt: skip
    for _ in range(2):
        ask("clock", advance="301")
        assert until(told) == [{"from": "schedule"}]
    aws("scheduler").delete_schedule(Name="often")
    assert ask("status")["failed_schedules"] == []


def test_the_interruption_of_a_machine_starts_it(function: Callable[..., str]) -> None:
    """The event is AWS's own, and so is its shape."""
    name = function(TELLS, Environment={"Variables": {"QUEUE": queue()}})
    arn = aws("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    pattern = {"source": ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"]}
    aws("events").put_rule(Name="warned", EventPattern=json.dumps(pattern))
    aws("events").put_targets(Rule="warned", Targets=[{"Id": "1", "Arn": arn}])
    aws("lambda").add_permission(
        FunctionName=name, StatementId="rule", Action="lambda:InvokeFunction", Principal="events.amazonaws.com"
    )
    machine = launch("sleep 60")["InstanceId"]
    assert until(lambda: state_of(machine) == "running")
    ask("interrupt", instance=machine, notice="1")

    (event,) = until(told)
    assert (event["detail"]["instance-id"], event["detail-type"]) == (machine, pattern["detail-type"][0])
    aws("events").remove_targets(Rule="warned", Ids=["1"])
    aws("events").delete_rule(Name="warned")


def test_a_run_that_keeps_failing_is_a_dead_letter(function: Callable[..., str]) -> None:
    """Nobody waits for it: it is tried twice more, by the sandbox's clock, then its event lies in the queue."""
    arn = aws("sqs").get_queue_attributes(QueueUrl=queue(), AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    name = function("def handler(event, context): raise SystemExit('no')\n", DeadLetterConfig={"TargetArn": arn})
    held = aws("lambda").get_function_configuration(FunctionName=name)["DeadLetterConfig"]
    before = len(ask("status")["failed_functions"])
    aws("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b'{"a": 2}')

    for tries in (1, 2, 3):
        assert until(lambda tries=tries: len(ask("status")["failed_functions"]) == before + tries)
        ask("clock", advance="121")
    assert (until(told), held) == ([{"a": 2}], {"TargetArn": arn})


def test_a_schedule_that_cannot_start_anything_leaves_a_dead_letter(role: str) -> None:
    """Its role sends it, with what was to be said."""
    arn = aws("sqs").get_queue_attributes(QueueUrl=queue(), AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    gone = "arn:aws:lambda:us-east-1:123456789012:function:gone"
    target = {"Arn": gone, "RoleArn": role, "Input": '{"b": 3}', "DeadLetterConfig": {"Arn": arn}}
    aws("scheduler").create_schedule(
        Name="lost", ScheduleExpression="rate(5 minutes)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    ask("clock", advance="301")

    assert until(told) == [{"b": 3}]
    aws("scheduler").delete_schedule(Name="lost")
