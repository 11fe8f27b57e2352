"""Upload and restore of a checkpoint by the agent against `aws s3 sync`, on the same server: limit 1.0 or faster."""

import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.sandboxed import sandbox
from tests.sandbox.world import aws

FILES, SIZE, ROUNDS = 48, 2 * 1024**2, 3
LARGE = 96 * 1024**2
"""One more file, which goes in parts."""
BUCKET = "transfer"
MIB = 1024**2


class Keys:
    """The sandbox's own key, in the place of a machine's role."""

    def credentials(self) -> dict[str, str]:
        return {"AccessKeyId": os.environ["AWS_ACCESS_KEY_ID"], "SecretAccessKey": "sandbox", "Token": "none"}


def timed(act: Callable[[], Any]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def sync(source: str, target: str) -> None:
    subprocess.run([str(shutil.which("aws")), "s3", "sync", "--quiet", source, target], check=True)


def saved(folder: Path, prefix: str) -> Callable[[], Any]:
    """A snapshot of the folder's checkpoints into the store."""
    from provisioner.agent.snapshot import Snapshots
    from provisioner.agent.store import Store

    boarding = {"prefix": prefix, "job": "j", "attempt": 1, "nodes": 1, "rank": 0}
    task = {"checkpoint_dir": "checkpoints", "outputs_dir": "outputs", "checkpoint_every_seconds": 300}
    snapshots: Any = Snapshots(Store(Keys(), BUCKET, "us-east-1"), boarding, task, str(folder))
    snapshots.sequence_after(0, [])
    return lambda: snapshots.take(at_rest=True)


def restored(folder: Path, prefix: str) -> Callable[[], Any]:
    from provisioner.agent import restore
    from provisioner.agent.store import Store

    agent: Any = restore  # untyped on purpose
    return lambda: agent.restore(Store(Keys(), BUCKET, "us-east-1"), prefix, str(folder))


def main() -> int:
    if shutil.which("aws") is None:
        print("transfer: the AWS CLI is not installed: nothing to compare with")
        return 0
    times: dict[str, list[float]] = {"up": [], "aws up": [], "down": [], "aws down": []}
    with sandbox(), tempfile.TemporaryDirectory() as place:
        aws("s3").create_bucket(Bucket=BUCKET)
        for number in range(ROUNDS):
            one_round(Path(place) / str(number), number, times)
    moved = (FILES * SIZE + LARGE) / MIB
    medians = {name: statistics.median(held) for name, held in times.items()}
    for ours in ("up", "down"):
        fast, peer = moved / medians[ours], moved / medians[f"aws {ours}"]
        rates = f"agent {fast:.0f} MiB/s, aws s3 sync {peer:.0f} MiB/s"
        print(f"transfer: {ours}: {rates}, ratio {fast / peer:.2f} (limit 1.0)")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"transfer: peak memory of this process, test tools included: {peak:.0f} MiB")
    return 0


def one_round(folder: Path, number: int, times: dict[str, list[float]]) -> None:
    source, back, synced = folder / "work" / "checkpoints" / "step-1", folder / "back", folder / "synced"
    for made in (source, back, synced):
        made.mkdir(parents=True)
    for name in range(FILES):
        (source / f"{name}.bin").write_bytes(os.urandom(SIZE))
    (source / "large.bin").write_bytes(os.urandom(LARGE))
    times["up"].append(timed(saved(folder / "work", f"jobs/{number}/")))
    times["aws up"].append(timed(lambda: sync(str(source), f"s3://{BUCKET}/aws/{number}")))
    times["down"].append(timed(restored(back, f"jobs/{number}/")))
    times["aws down"].append(timed(lambda: sync(f"s3://{BUCKET}/aws/{number}", str(synced))))
