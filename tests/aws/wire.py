"""Answers put on the wire in AWS's place: botocore parses them as if they had come from there."""

from collections.abc import Callable, Iterator
from typing import Any

from botocore.awsrequest import AWSResponse, HeadersDict

from provisioner.clouds.aws.sessions import Sessions


class Body:
    """What botocore reads a body from."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_args: object, **_kwargs: object) -> Iterator[bytes]:
        yield self._content


def answer(status: int, body: str) -> AWSResponse:
    headers = HeadersDict({"content-type": "text/xml"})
    return AWSResponse("https://aws.invalid", status, headers, Body(body.encode()))  # pyright: ignore[reportArgumentType] - what botocore itself passes


def ec2_error(code: str, message: str = "told so", status: int = 400) -> AWSResponse:
    return answer(
        status, f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors></Response>"
    )


def on_the_wire(client: Any, reply: Callable[[], AWSResponse]) -> list[str]:
    """Every call of the client gets the reply; the operations that were called."""
    called: list[str] = []

    def answered(request: Any, event_name: str, **_: object) -> AWSResponse:
        called.append(event_name.rsplit(".", 1)[-1])
        return reply()

    client.meta.events.register_first("before-send.*.*", answered)
    return called


def once_on_the_wire(client: Any, operation: str, reply: AWSResponse) -> None:
    """The next call of that operation gets the reply; all others go through."""
    replies = [reply]
    client.meta.events.register_first(
        f"before-send.*.{operation}",
        lambda **_: replies.pop() if replies else None,  # pyright: ignore[reportUnknownLambdaType]
    )


def told(sessions: Sessions, reply: AWSResponse) -> list[str]:
    """The launching client of EC2 hears this and nothing else."""
    return on_the_wire(sessions.ec2("us-east-1", once=True), lambda: reply)
