"""A client that we did not write works on the sandbox unchanged: the AWS CLI."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.world import TYPE, aws, describe, launch, state_of, until

AWS = shutil.which("aws")
pytestmark = [
    pytest.mark.usefixtures("sandbox"),
    pytest.mark.skipif(AWS is None, reason="the AWS CLI is not installed"),
]


def cli(*arguments: str) -> Any:
    done = subprocess.run(
        [str(AWS), *arguments, "--output", "json"], capture_output=True, text=True, timeout=60, check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout or "null")


def test_it_lists_prices_requests_and_instances_and_ends_one() -> None:
    """describe-instances, describe-spot-price-history, describe-spot-instance-requests, terminate-instances."""
    made = launch("sleep 60")["InstanceId"]
    until(lambda: describe(made))
    seen = cli("ec2", "describe-instances", "--instance-ids", made)["Reservations"][0]["Instances"][0]
    prices = cli("ec2", "describe-spot-price-history", "--instance-types", TYPE)["SpotPriceHistory"]
    requests = cli("ec2", "describe-spot-instance-requests")["SpotInstanceRequests"]
    cli("ec2", "terminate-instances", "--instance-ids", made)

    assert seen["InstanceLifecycle"] == "spot"
    assert prices
    assert made in {request.get("InstanceId") for request in requests}
    until(lambda: state_of(made) == "terminated")


def test_it_syncs_a_folder_to_a_bucket_and_back(tmp_path: Path) -> None:
    """s3 sync both ways, byte for byte."""
    aws("s3").create_bucket(Bucket="synced-by-cli")
    (tmp_path / "here" / "deep").mkdir(parents=True)
    (tmp_path / "here" / "deep" / "a b.bin").write_bytes(bytes(range(256)) * 4000)
    for source, target in ((tmp_path / "here", "s3://synced-by-cli/x"), ("s3://synced-by-cli/x", tmp_path / "back")):
        subprocess.run([str(AWS), "s3", "sync", str(source), str(target)], check=True, timeout=60, capture_output=True)

    assert (tmp_path / "back" / "deep" / "a b.bin").read_bytes() == bytes(range(256)) * 4000
