"""Pulumi's own command line is driven as a person would."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.world import until

SLOW_TO_STOP = """#!/bin/sh
trap 'sleep 0.6; rm "$LOCK"; exit 1' INT
touch "$LOCK"
while :; do sleep 0.1; done
"""
DESTROY = """
from provisioner.cli.engine import Pulumi
from provisioner.errors import Interrupted
try:
    Pulumi("aws-g5").destroy()
except Interrupted as said:
    print(said.message)
"""


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_waits_until_pulumi_has_stopped_in_order(tmp_path: Path, stop: signal.Signals) -> None:
    """It takes its time and gives its lock back; killed, it would keep the stack shut for the next run."""
    lock, engine = tmp_path / "lock", tmp_path / "pulumi"
    engine.write_text(SLOW_TO_STOP)
    engine.chmod(0o755)
    told = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LOCK": str(lock)}
    run = subprocess.Popen(
        [sys.executable, "-c", DESTROY], env=told, start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    assert until(lock.exists)
    os.killpg(run.pid, stop)  # as a terminal does: to the whole group
    words, _ = run.communicate(timeout=60)

    assert not lock.exists()
    assert "'pulumi destroy' of the stack 'aws-g5' was stopped half way, in order" in words
