"""Instances as local process groups. Level-triggered: `reconcile` compares moto's states with the processes."""

import base64
import gzip
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.sandbox.phases import ENDED

HERE = Path(__file__).parent
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
SHUT_DOWN_FROM_INSIDE = 64
PER_INSTANCE = "var/lib/cloud/instance/scripts/part-001"
"""Where cloud-init puts user data and runs it."""
PER_BOOT = "var/lib/cloud/later-boot"
EVERY_SCRIPT = b'#!/bin/sh\nfor one in "${0%/*}"/scripts/per-boot/*; do [ -x "$one" ] && "$one"; done\n'
"""What cloud-init does at every boot; at the first it finds nothing, since user data comes after it."""


@dataclass
class Machine:
    """One running instance: its init process and its home."""

    id: str
    home: Path
    process: subprocess.Popen[bytes]

    def power_off(self, *, graceful: bool) -> None:
        """Graceful: SIGTERM, two seconds, SIGKILL. Otherwise the plug is pulled (lifeline closed)."""
        if graceful:
            self.process.terminate()
        elif self.process.stdin:
            self.process.stdin.close()
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)  # whoever froze it, to see a silent machine, left it so


class Machines:
    """`on_shutdown(instance_id)` is called when a machine powers itself off."""

    def __init__(
        self, root: Path, environment: Callable[[Any], dict[str, str]], on_shutdown: Callable[[str], None]
    ) -> None:
        self.root, self.environment, self.on_shutdown = root, environment, on_shutdown
        self.by_id: dict[str, Machine] = {}
        self._booted: set[str] = set()
        self._lock = threading.Lock()

    def reconcile(self, instances: Iterable[Any]) -> None:
        with self._lock:
            for instance in instances:
                machine = self.by_id.get(instance.id)
                if instance.state == "running" and instance.user_data and machine is None:
                    first = instance.id not in self._booted  # like cloud-init: user data runs at the first boot only
                    self._booted.add(instance.id)
                    self.by_id[instance.id] = self.boot(instance, PER_INSTANCE if first else PER_BOOT)
                elif machine and instance.state in ("stopped", *ENDED):
                    del self.by_id[instance.id]
                    machine.power_off(graceful=instance.state_reason.code.startswith("Client."))

    def boot(self, instance: Any, what: str) -> Machine:
        home, script = self.root / instance.id / "home", self.root / instance.id / what
        for folder in (home, script.parent):
            folder.mkdir(parents=True, exist_ok=True)
        script.write_bytes(decoded(instance.user_data) if what == PER_INSTANCE else EVERY_SCRIPT)
        script.chmod(0o700)
        process = subprocess.Popen(
            [sys.executable, "-S", "-I", str(HERE / "machine_init.py"), str(script)],
            stdin=subprocess.PIPE, stdout=self.console(instance.id).open("ab"), stderr=subprocess.STDOUT, cwd=home,
            env=bare_environment(home) | self.environment(instance), start_new_session=True,
        )  # fmt: skip
        machine = Machine(instance.id, home, process)
        threading.Thread(target=self.watch, args=[machine], daemon=True).start()
        return machine

    def console(self, instance_id: str) -> Path:
        return self.root / instance_id / "console.log"

    def is_dead(self, instance_id: str) -> bool:
        """Its init was killed, as by a kernel's panic; the cloud still calls it running."""
        machine = self.by_id.get(instance_id)
        return machine is not None and (machine.process.poll() or 0) < 0

    def watch(self, machine: Machine) -> None:
        if machine.process.wait() == SHUT_DOWN_FROM_INSIDE:
            self.on_shutdown(machine.id)

    def stop_all(self) -> None:
        with self._lock:
            for machine in self.by_id.values():
                machine.power_off(graceful=False)
            for machine in self.by_id.values():
                machine.process.wait(10)


def bare_environment(home: Path) -> dict[str, str]:
    """From nothing. The sandbox's own Python is the machine's image, for the user's program alone."""
    path = os.pathsep.join([str(HERE / "shims"), SYSTEM_PATH])
    image = str(Path(sys.executable).parent)
    return {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8", "USER": "root", "ACCELCTL_IMAGE_PATH": image}


def decoded(user_data: Any) -> bytes:
    raw = base64.b64decode(str(user_data))
    return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
