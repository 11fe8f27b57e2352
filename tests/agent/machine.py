"""A machine under test: the real boot script and the real bundle, as processes with a folder for a home."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from provisioner.agent import bundle
from tests.agent.server import Server

JOB = "20260105-120000-abcde"
PREFIX = f"jobs/{JOB}/"
PATIENCE = 30.0
SHUTDOWN = '#!/bin/sh\necho "$*" >>"$HOME/shutdown.log"\n'


def until(found: Callable[[], Any], what: str, *, seconds: float = PATIENCE) -> Any:
    """The first true answer. Fails the test, naming what did not come, after that long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := found():
            return answer
        time.sleep(0.05)
    return pytest.fail(f"{what} did not come within {seconds:g} s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """What the tests read from and put into the bucket, with a client that we did not write."""

    s3: Any
    bucket: str

    def put(self, key: str, content: bytes | str) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)

    def get(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=key)

    def listed(self, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [row["Key"] for page in pages for row in page.get("Contents", [])]

    def json(self, key: str) -> Any:
        """None where there is no such object."""
        try:
            return json.loads(self.get(key))
        except self.s3.exceptions.NoSuchKey:
            return None

    def manifests(self) -> list[dict[str, Any]]:
        """Oldest first; without those that are pruned while they are read."""
        found = [self.json(key) for key in self.listed(f"{PREFIX}checkpoints/")]
        return [manifest for manifest in found if manifest]

    def order(self, *, run: bool = True, attempt: int = 1, reason: str = "", deadline: str | None = None) -> None:
        orders = {"attempt": attempt, "run": run, "reason": reason, "deadline": deadline}
        self.put(f"{PREFIX}record.json", json.dumps({"version": 1, "orders": orders}))

    def send_workdir(self, entries: Mapping[str, bytes | tarfile.TarInfo]) -> dict[str, Any]:
        """Packs files by name (or headers as they are); the member `workdir` of a task."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for name, entry in entries.items():
                header = entry if isinstance(entry, tarfile.TarInfo) else tarfile.TarInfo(name)
                content = b"" if isinstance(entry, tarfile.TarInfo) else entry
                header.size = len(content)
                tar.addfile(header, io.BytesIO(content))
        digest = hashlib.sha256(packed.getvalue()).hexdigest()
        key = f"workdirs/{digest}.tar.gz"
        self.put(key, packed.getvalue())
        return {"key": key, "sha256": digest, "bytes": len(packed.getvalue())}


@dataclass(frozen=True, slots=True)
class Machine:
    """Boots on `start`; `task` members can be changed before."""

    server: Server
    store: Store
    home: Path
    attempt: int = 1
    task: dict[str, Any] = field(default_factory=dict)
    boarding: dict[str, Any] = field(default_factory=dict)
    image: Path | None = Path(sys.executable).parent
    """Where the Python of its image is, if that has more than `/usr/bin/python3`."""
    booted: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def work(self) -> Path:
        return self.home / "accelctl" / "work"

    @property
    def user_data(self) -> Path:
        """Where cloud-init would put it."""
        return self.home / "var/lib/cloud/instance/scripts/part-001"

    def python(self, source: str) -> None:
        """The program: Python source, in the Python of these tests."""
        self.task["command"] = ["python3", "-c", source]

    def start(self) -> "Machine":
        agent = bundle.build()
        digest = hashlib.sha256(agent).hexdigest()
        self.store.put(f"agents/{digest}.pyz", agent)
        self.store.put(f"{PREFIX}task.json", json.dumps(self.task))
        if not self.store.listed(f"{PREFIX}record.json"):
            self.store.order(attempt=self.attempt)
        self.boarding.setdefault("attempt", self.attempt)
        self.boarding["agent"] = {"key": f"agents/{digest}.pyz", "sha256": digest}
        self.boot(bundle.user_data(self.boarding))
        return self

    def boot(self, script: str) -> None:
        shims = self.home / "bin"
        shims.mkdir(parents=True)
        (shims / "shutdown").write_text(SHUTDOWN)
        (shims / "shutdown").chmod(0o755)
        self.user_data.parent.mkdir(parents=True)
        self.user_data.write_text(script)
        with (self.home / "console.log").open("wb") as console:
            process = subprocess.Popen(
                ["/bin/sh", str(self.user_data)], env=self.environment(), cwd=self.home,
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
            )  # fmt: skip
        self.booted.append(process)

    def environment(self) -> dict[str, str]:
        """Made from nothing, as the machine's would be."""
        return {
            "HOME": str(self.home), "PATH": f"{self.home / 'bin'}:/usr/bin:/bin",
            "AWS_ENDPOINT_URL": self.server.url, "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{self.server.url}/_imds",
            **({"ACCELCTL_IMAGE_PATH": str(self.image)} if self.image else {}),
        }  # fmt: skip

    def successor(self) -> "Machine":
        """Another machine, for the next attempt of the same job."""
        number = self.attempt + 1
        self.store.order(attempt=number)
        boarding = {**self.boarding, "attempt": number}
        home = self.home.with_name(f"{self.home.name}-{number}")
        return replace(self, attempt=number, home=home, task=dict(self.task), boarding=boarding, booted=[])

    def gone(self, *, seconds: float = PATIENCE) -> dict[str, Any]:
        """Waits until it has shut itself down; its last report."""
        until(lambda: "-h now" in self.shutdowns(), "the shutdown", seconds=seconds)
        self.booted[0].wait(timeout=10)
        return self.report()

    def ended(self) -> dict[str, Any]:
        """Waits for the report of the end, after which the machine may still be there; that report."""

        def reported() -> Any:
            report = self.report()
            return report if report and report.get("ended") else None

        return until(reported, "the report of the end")

    def shutdowns(self) -> list[str]:
        log = self.home / "shutdown.log"
        return log.read_text().splitlines() if log.exists() else []

    def console(self) -> str:
        return (self.home / "console.log").read_text()

    def report(self) -> Any:
        return self.store.json(f"{PREFIX}attempts/{self.attempt}/nodes/0.json")

    def log(self) -> str:
        keys = self.store.listed(f"{PREFIX}attempts/{self.attempt}/logs/0/")
        return b"".join(self.store.get(key) for key in keys).decode()

    def saved(self, path: str) -> Any:
        """Waits until the newest manifest lists the path; that manifest."""
        return until(lambda: next((m for m in self.store.manifests()[-1:] if path in paths(m)), None), f"{path} saved")

    def pull_the_plug(self) -> None:
        """Everything that runs on it is killed, wherever it went."""
        for pid in list(self.processes()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for process in self.booted:
            process.wait(timeout=10)

    def processes(self) -> Iterator[int]:
        mark = f"HOME={self.home}\0".encode()
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and mark in (folder / "environ").read_bytes():
                    yield int(folder.name)
            except (OSError, ProcessLookupError):
                continue


def paths(manifest: dict[str, Any]) -> list[str]:
    return [file["path"] for part in manifest["parts"] for file in part["files"]]


def plain_task() -> dict[str, Any]:
    return {
        "version": 1, "job": JOB, "name": "test", "command": ["true"], "setup": "", "environment": {}, "secrets": {},
        "workdir": None, "checkpoint_dir": "checkpoints", "outputs_dir": "outputs", "checkpoint_every_seconds": 0.3,
        "heartbeat_every_seconds": 0.3, "stop_grace_seconds": 5,
    }  # fmt: skip


def plain_boarding(bucket: str) -> dict[str, Any]:
    return {
        "version": 1, "job": JOB, "rank": 0, "nodes": 1, "bucket": bucket, "region": "us-east-1", "prefix": PREFIX,
        "max_minutes": 60, "stop_after_minutes": 40, "last_upload_seconds": 900, "way": "gateway",
    }  # fmt: skip


def client(server: Server, service: str) -> Any:
    return boto3.client(  # pyright: ignore[reportCallIssue, reportUnknownVariableType, reportUnknownMemberType]
        service,  # pyright: ignore[reportArgumentType]
        endpoint_url=server.url, region_name="us-east-1", aws_access_key_id="tests", aws_secret_access_key="tests",
    )  # fmt: skip
