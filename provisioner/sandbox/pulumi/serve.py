"""Runs a plugin as the engine wants it: the first line of output is the port, and nothing else is written there."""

import os
import sys
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

LARGEST = 400 << 20
"""Bytes of a message, as pulumi's own plugins allow."""


PAUSE = 1.0
"""Seconds between two looks at who started us."""


def serve(provider: provider_pb2_grpc.ResourceProviderServicer) -> None:
    """A provider, until the engine ends the process."""
    run(lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server))


def run(add: Callable[[Any], None]) -> None:
    """Until the engine ends the process, or is killed: what is being made is finished then, and nothing else begun."""
    engine = os.getppid()
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=16), options=[("grpc.max_receive_message_length", LARGEST)]
    )
    add(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while server.wait_for_termination(PAUSE) and os.getppid() == engine:
        pass
    server.stop(None)
