# pyright: basic
# The agent is untyped on purpose.
"""CloudWatch is told what the machine does, and nothing depends on it."""

import os
import socket
import subprocess
import sys

SENDER = """
import time
from provisioner.agent.metrics import Metrics

class Imds:
    def region(self):
        return "us-east-1"

    def credentials(self):
        return {"AccessKeyId": "a", "SecretAccessKey": "b", "Token": "t"}

class Report:
    devices = [{"percent": 1.0, "memory_percent": None, "kind": "cpu", "device": "cpu"}]
    instance_id = "i-1"

class Patient:
    waited = []

    def wait(self, seconds):
        self.waited.append(seconds)
        return len(self.waited) > 1

begun = time.monotonic()
Metrics(Imds(), {"way": "ipv6", "job": "j"}, Report()).send_on(Patient())
print(Patient.waited, time.monotonic() - begun < 5)
"""


def test_a_cloudwatch_that_never_answers_is_asked_once_for_a_moment_and_then_less_and_less() -> None:
    """Neither the heartbeat nor the orders wait for it: it has its own thread, and a row is not sent twice."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        sent = subprocess.run(
            [sys.executable, "-c", SENDER], env=os.environ | {"AWS_ENDPOINT_URL": url}, capture_output=True, text=True,
            check=True, timeout=60,
        )  # fmt: skip
    assert sent.stdout.strip() == "[60.0, 120.0] True"
