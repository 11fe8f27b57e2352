"""What could not be done, kept in a queue: the dead letters of functions and of schedules.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
"""

import json
from collections.abc import Callable
from typing import Any

Client = Callable[[str, str, str], Any]
"""For a service, a region and a role, whose policy decides."""


def keep(client: Client, role: str, target: str, event: Any, why: str) -> str:
    """Into the queue of that ARN. Why it could not be kept; empty where it was."""
    region, account, name = target.split(":")[3:6]
    queue = client("sqs", region, role)
    try:
        queue.send_message(
            QueueUrl=f"{queue.meta.endpoint_url}/{account}/{name}", MessageBody=json.dumps(event),
            MessageAttributes={"ErrorMessage": {"DataType": "String", "StringValue": why[:1024] or "none"}},
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001 - a letter that cannot be kept is lost, as on AWS
        return f"{name}: {error}"
    return ""
