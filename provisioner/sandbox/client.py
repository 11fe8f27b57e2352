"""From the outside: start, stop and ask a sandbox. Light: nothing of moto is imported here.

The lock file is the truth (the kernel drops the lock when the process dies, however it dies); the state file informs.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from provisioner.sandbox.pulumi import executables

REGION = "us-east-1"
PROJECT = "accelctl-sandbox"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
START_WITHIN = 60.0
STOP_WITHIN = 30.0


class SandboxError(Exception):
    """What went wrong, in one sentence."""


def home() -> Path:
    """Where the sandbox keeps its state."""
    chosen = os.environ.get("ACCELCTL_SANDBOX_HOME")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(chosen) if chosen else cache / "accelctl" / "sandbox"


def locked(folder: Path) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def running(folder: Path) -> dict[str, Any] | None:
    """The state of the live sandbox (waiting for one that is starting), or None; a state file alone proves nothing."""
    end = time.monotonic() + START_WITHIN
    while locked(folder):
        with contextlib.suppress(FileNotFoundError):
            return json.loads((folder / "state.json").read_text())
        if time.monotonic() > end:
            raise SandboxError("the sandbox is starting, but does not get ready")
        time.sleep(0.05)
    return None


def start(folder: Path, *, port: int = 0, exit_with: int = 0) -> tuple[dict[str, Any], bool]:
    """(state, True) once it answers, or (state of the one that already runs, False)."""
    if state := running(folder):
        return state, False
    ready, told = os.pipe()
    with (folder / "daemon.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "provisioner.sandbox.daemon", str(folder), str(told), str(port), str(exit_with)],
            pass_fds=[told], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
        )  # fmt: skip
    os.close(told)
    with os.fdopen(ready) as pipe:
        line = pipe.readline()  # end-of-file: it died
    if not line and (state := running(folder)):
        return state, False  # another start was faster
    if not line:
        raise SandboxError(f"the sandbox did not start; see {folder / 'daemon.log'}")
    return json.loads(line), True


def stop(folder: Path) -> bool:
    """Ends it and every process it started; False where none was running."""
    state = running(folder)
    if not state:
        return False
    os.kill(state["pid"], signal.SIGTERM)
    end = time.monotonic() + STOP_WITHIN
    while locked(folder):
        if time.monotonic() > end:
            raise SandboxError(f"the sandbox (process {state['pid']}) does not end")
        time.sleep(0.02)
    return True


def settings() -> dict[str, str | None]:
    """Environment that leads every SDK to the sandbox; None is a variable to unset. Raises SandboxError."""
    state = running(home())
    if state is None:
        raise SandboxError("the sandbox is not running")
    return {
        "AWS_ENDPOINT_URL": state["endpoint"], "AWS_ACCESS_KEY_ID": state["key"], "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, "AWS_ALLOW_HTTP": "true", "NO_PROXY": "127.0.0.1",
        "AWS_SESSION_TOKEN": None, "AWS_PROFILE": None, **google(state["google"]),
        "ARM_ENDPOINT": state["azure"], "ARM_SUBSCRIPTION_ID": SUBSCRIPTION, **executables.settings(home()),
    }  # fmt: skip


def google(url: str) -> dict[str, str | None]:
    """Google's own tools and the stand-in provider are led here by gcloud's endpoint overrides."""
    services = ("tpu", "compute", "iam", "cloudresourcemanager", "cloudscheduler", "storage")
    overrides = {f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{name.upper()}": f"{url}/{name}/" for name in services}
    named = dict.fromkeys(("CLOUDSDK_CORE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GOOGLE_PROJECT"), PROJECT)
    return {**overrides, **named, "CLOUDSDK_AUTH_ACCESS_TOKEN": "sandbox"}


def ask(verb: str, **asked: str) -> dict[str, Any]:
    """Uses the control door of the running sandbox. Raises SandboxError with its own words where it refuses."""
    state = running(home())
    if state is None:
        raise SandboxError("the sandbox is not running")
    url = f"{state['endpoint']}/_sandbox/{verb}?{urllib.parse.urlencode(asked)}"
    request = urllib.request.Request(url, data=b"", headers={"X-Sandbox-Key": state["key"]})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=60) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise SandboxError(json.loads(error.read() or b"{}").get("error", f"HTTP {error.code}")) from None
    except OSError as error:
        raise SandboxError(f"the sandbox does not answer: {error}") from None
