"""How the cloud in memory fails: by method, or a whole region."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from threading import RLock
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from provisioner.errors import AccelctlError, CloudUnavailable

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
Errors = defaultdict[str, deque[AccelctlError]]


@dataclass(slots=True)
class Faults:
    """What goes wrong, per method: before the call has any effect, or after it took effect."""

    before: Errors = field(default_factory=lambda: Errors(deque))
    after: Errors = field(default_factory=lambda: Errors(deque))


class Failing(Protocol):
    """What counts its calls and fails where it was told to."""

    lock: RLock
    calls: Counter[str]
    faults: Faults


Subject = TypeVar("Subject", bound=Failing)


def faulty(
    method: Callable[Concatenate[Subject, Arguments], Answer],
) -> Callable[Concatenate[Subject, Arguments], Answer]:
    """A call to the cloud: counted, under the lock, and failing where it was told to."""

    @wraps(method)
    def call(self: Subject, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        name = method.__name__
        with self.lock:
            self.calls[name] += 1
            raise_next(self.faults.before[name])
            answer = method(self, *args, **kwargs)
            raise_next(self.faults.after[name])
            return answer

    return call


def raise_next(errors: deque[AccelctlError]) -> None:
    if errors:
        raise errors.popleft()


def no_answer(region: str) -> CloudUnavailable:
    return CloudUnavailable(f"{region} does not answer.", hint="try again in a moment.")
