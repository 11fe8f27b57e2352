"""Lambda functions that really run: a bare Python process with the function's zip, environment, role and limits.

moto keeps functions and starts them in containers, or answers for them. https://docs.aws.amazon.com/lambda/
"""

import importlib.util
import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from moto.awslambda.models import LambdaBackend, LambdaFunction, lambda_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.events.models import Rule

from provisioner.sandbox import letters
from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.launches import wrap

RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
"""What Lambda's Python images bring beside the standard library."""
BOOTSTRAP = Path(__file__).with_name("lambda_init.py")
LOOK_EVERY = 0.05
MIB = 1 << 20
RETRIES = (timedelta(minutes=1), timedelta(minutes=2))
"""An asynchronous run that fails is tried twice more, after these; then it is a dead letter."""


@dataclass(frozen=True)
class Ran:
    """What a run answered, what it printed, and whether that is an error."""

    answer: str
    said: str
    failed: bool


class Functions:
    """`url` is the sandbox's own address; `credentials` gives the environment of a role, `client` what calls as it."""

    def __init__(
        self,
        root: Path,
        url: Callable[[], str],
        credentials: Callable[[str, str], dict[str, str]],
        clock: SandboxClock,
        client: letters.Client,
    ) -> None:
        self._root, self._url, self._credentials = root, url, credentials
        self._clock, self._client = clock, client
        self.failed: list[str] = []
        """Runs that failed, and why."""

    def install(self) -> None:
        wrap(LambdaFunction, "_invoke_lambda", self._invoke)
        wrap(LambdaFunction, "invoke", self._asked)
        for name, arguments in (("__init__", 1), ("update_configuration", 0)):
            wrap(LambdaFunction, name, partial(remember_queue, arguments))
        wrap(LambdaFunction, "get_configuration", with_queue)
        wrap(Rule, "send_to_targets", self._matched)

    def _asked(self, original: Any, function: LambdaFunction, body: str, asked: Any, answered: Any) -> Any:
        """An event is taken, and run without anybody waiting."""
        if asked.get("X-Amz-Invocation-Type") != "Event":
            return original(function, body, asked, answered)
        self.start(function.function_arn, json.loads(body or "{}"))
        return ""

    def _invoke(self, original: Any, function: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
        event = json.loads(event) if isinstance(event, str) else event
        ran = self.run(function, event)
        return ran.answer, ran.failed, ran.said

    def _matched(self, original: Any, rule: Rule, event: Any, *more: Any, **named: Any) -> None:
        """Functions are started here, without anybody waiting; every other target is moto's."""
        all_of_them = rule.targets
        mine = [target for target in all_of_them if ":lambda:" in target["Arn"]]
        rule.targets = [target for target in all_of_them if target not in mine]
        try:
            original(rule, event, *more, **named)
        finally:
            rule.targets = all_of_them
        if mine and rule.event_pattern.matches_event(event) and rule.state != "DISABLED":
            for target in mine:
                self._from_rule(rule, target["Arn"], event)

    def _from_rule(self, rule: Rule, arn: str, event: Any) -> None:
        """EventBridge starts only what its resource policy opens to it."""
        function = find(arn)
        allowed = function.policy.statements if function else []
        if any("events.amazonaws.com" in json.dumps(one["Principal"]) for one in allowed):
            self.start(arn, event)
        else:
            self.failed.append(f"{rule.name}: events.amazonaws.com may not invoke {arn}")

    def start(self, arn: str, event: Any) -> None:
        threading.Thread(target=self.complete, args=[arn, event], daemon=True).start()

    def complete(self, arn: str, event: Any, tried: int = 0) -> None:
        """A run that fails is tried again, and at last kept where the function says."""
        function = find(arn)
        if function is None:
            self.failed.append(f"there is no function {arn}")
            return
        ran = self.run(function, event)
        if ran.failed and tried < len(RETRIES):
            again = threading.Thread(target=self.complete, args=[arn, event, tried + 1], daemon=True)
            self._clock.at(self._clock.now() + RETRIES[tried], again.start)
        elif ran.failed and (queue := queue_of(function)):
            lost = letters.keep(self._client, function.role, queue, event, ran.answer)
            self.failed += [lost] if lost else []

    def run(self, function: LambdaFunction, event: Any) -> Ran:
        """To its end, its time limit or its memory limit. What it prints goes to its log group."""
        folder = self._unpacked(function)
        runtime = linked_runtime(self._root / "functions" / "runtime")
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(BOOTSTRAP), str(folder), str(runtime), function.handler or ""],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
            env=self._environment(function), start_new_session=True,
        )  # fmt: skip
        limits = threading.Thread(target=hold, args=[process, function, reasons := list[str]()], daemon=True)
        limits.start()
        answer, said = process.communicate(json.dumps(event).encode())
        limits.join()
        text = said.decode(errors="replace") + "".join(reasons)
        function.logs_backend.ensure_log_group(function.logs_group_name)
        function.save_logs(text or " ")
        failed = bool(reasons) or process.returncode != 0
        ran = Ran(reasons[0] if reasons else answer.decode(errors="replace"), text, failed)
        if failed:
            self.failed.append(f"{function.function_name}: {ran.answer}")
        return ran

    def _unpacked(self, function: LambdaFunction) -> Path:
        folder = self._root / "functions" / f"{function.function_name}-{function.code_digest.replace('/', '_')}"
        if not folder.exists():
            part = folder.with_name(f".{folder.name}.{threading.get_ident()}")
            with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as archive:
                archive.extractall(part)
            if not folder.exists():
                part.rename(folder)
        return folder

    def _environment(self, function: LambdaFunction) -> dict[str, str]:
        """From nothing, as Lambda's."""
        region = function.region
        return {
            "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": ":UTC", "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region, "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size), "AWS_ENDPOINT_URL": self._url(),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout), "AWS_ALLOW_HTTP": "true", "NO_PROXY": "127.0.0.1",
            **self._credentials(function.role, region), **function.environment_vars,
        }  # fmt: skip


def remember_queue(place: int, original: Any, function: LambdaFunction, *args: Any, **named: Any) -> Any:
    """moto forgets where dead letters go; the specification is the argument at that place."""
    done = original(function, *args, **named)
    said = (named.get("spec") or named.get("config_updates") or args[place]).get("DeadLetterConfig")
    if said is not None:
        vars(function)["dead_letters"] = said.get("TargetArn", "")
    return done


def queue_of(function: LambdaFunction) -> str:
    return vars(function).get("dead_letters", "")


def with_queue(original: Any, function: LambdaFunction, *args: Any, **named: Any) -> dict[str, Any]:
    held = {"DeadLetterConfig": {"TargetArn": queue_of(function)}} if queue_of(function) else {}
    return original(function, *args, **named) | held


def linked_runtime(folder: Path) -> Path:
    """A folder with the packages of Lambda's runtime and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in RUNTIME:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            continue
        origin = Path(found.origin)
        target = origin.parent if origin.name == "__init__.py" else origin
        link = folder / target.name
        if not link.is_symlink():
            link.symlink_to(target)
    return folder


def find(arn: str) -> LambdaFunction | None:
    region = arn.split(":")[3]
    backend: LambdaBackend = lambda_backends[DEFAULT_ACCOUNT_ID][region]
    return backend.get_function_by_arn(arn)


def hold(process: subprocess.Popen[bytes], function: LambdaFunction, reasons: list[str]) -> None:
    """Ends the process at its limits, in Lambda's words."""
    end = time.monotonic() + int(function.timeout)
    while process.poll() is None:
        if time.monotonic() > end:
            reasons.append(f"Task timed out after {int(function.timeout)}.00 seconds")
        elif resident(process.pid) > int(function.memory_size) * MIB:
            reasons.append("Runtime.OutOfMemory: Runtime exited with error: signal: killed")
        if reasons:
            process.kill()
            return
        time.sleep(LOOK_EVERY)


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 once it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
