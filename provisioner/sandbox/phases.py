"""Between an answer and the fact: a machine is `pending` before it runs, and `shutting-down` before it is gone."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from moto.ec2.models.instances import Instance

from provisioner.sandbox.clock import SandboxClock
from provisioner.sandbox.labels import forget_tags

PENDING_FOR = timedelta(seconds=0.2)
SHUTTING_DOWN_FOR = timedelta(seconds=0.2)
TAGS_KEPT_FOR = timedelta(minutes=10)
"""AWS says "after a short while" (EC2 User Guide, "Terminate Amazon EC2 instances")."""
CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48}
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html"""
ENDED = ("shutting-down", "terminated")
LIVING = ("pending", "running")


class Phases:
    """Moves instances on by the sandbox's clock, never within a call that holds `lock`; `on_change` hears of it."""

    def __init__(self, clock: SandboxClock, lock: AbstractContextManager[Any], on_change: Callable[[Instance], None]):
        self._clock, self._lock, self._on_change = clock, lock, on_change

    def launched(self, instance: Instance) -> None:
        self._pass_through(instance, "pending", "running", PENDING_FOR)

    def ended(self, instance: Instance) -> None:
        self._pass_through(instance, "shutting-down", "terminated", SHUTTING_DOWN_FOR)
        self._clock.at(self._clock.now() + TAGS_KEPT_FOR, lambda: self._forget_tags(instance))

    def _pass_through(self, instance: Instance, phase: str, then: str, lasting: timedelta) -> None:
        show(instance, phase)
        self._clock.at(self._clock.now() + lasting, lambda: self._arrive(instance, phase, then))

    def _forget_tags(self, instance: Instance) -> None:
        with self._lock:
            forget_tags(instance)

    def _arrive(self, instance: Instance, phase: str, then: str) -> None:
        with self._lock:
            if instance.state == phase:  # it may have been ended meanwhile
                show(instance, then)
                self._on_change(instance)


def show(instance: Instance, state: str) -> None:
    instance._state.name, instance._state.code = state, CODES[state]
