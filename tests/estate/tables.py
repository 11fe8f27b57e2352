"""What is there: machines by number, half of them idle, and what each refusal of EC2 depends on."""

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

REGION = "us-east-1"
ACCOUNT = "123456789012"
BUCKET = f"accelctl-{ACCOUNT}"
OURS = {"accelctl:managed": "accelctl", "accelctl:owner": "tester"}


@dataclass(kw_only=True)
class Estate:
    """Machine number n is `i-` and n in hexadecimal; the odd ones are idle. Numbers name the special ones."""

    machines: int
    instance_type: str = "g5.xlarge"
    busy: bool = False
    """All of them."""
    one_time: frozenset[int] = frozenset()
    """Spot machines of one-time requests: EC2 does not stop them."""
    persistent: frozenset[int] = frozenset()
    """Spot machines of requests that launch another one in their place."""
    protected: frozenset[int] = frozenset()
    """EC2 does not terminate them."""
    vanished: frozenset[int] = frozenset()
    """Listed, and gone when something is done to them."""
    denied: frozenset[str] = frozenset()
    """Operations that the caller may not ask for."""
    storeless: bool = False
    """There is no bucket."""
    needed: frozenset[int] = frozenset()
    """Members of a group that keeps at least as many as there are."""
    detached: frozenset[int] = frozenset()
    """Labelled as a group's that does not have them any more."""
    unwatched: frozenset[int] = frozenset()
    """CloudWatch refuses whoever asks for them."""
    off: frozenset[str] = frozenset()
    """Regions that the account has not switched on."""
    regions: tuple[str, ...] = (REGION,)
    """That the account has enabled."""
    empty: frozenset[str] = frozenset()
    """Those of them that hold nothing; each of the others holds all the machines."""
    holding: frozenset[int] = frozenset()
    """A program holds three quarters of their GPU's memory; of the others nobody publishes what is held."""
    gpus: int = 1
    """Of each machine, as its type has them."""
    mute: frozenset[int] = frozenset()
    """Machines whose last GPU publishes nothing."""
    stopped: frozenset[int] = frozenset()
    """Machines whose last GPU published nothing more in the newer half of whatever is asked for."""
    attended: frozenset[int] = frozenset()
    """Somebody has a session open on them."""
    rate: float = 0.0
    """Calls a second that are answered; above it AWS asks to slow down. 0 is no limit."""
    objects: dict[str, bytes] = field(default_factory=dict[str, bytes])
    labels: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    state: dict[str, str] = field(default_factory=dict[str, str])
    asked: Counter[str] = field(default_factory=Counter[str])
    cancelled: list[str] = field(default_factory=list[str])
    """Requests, each with how many machines were terminated by then."""
    read: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """Series that were asked for, by machine and metric."""
    acts: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """What was done, in order: mark, unmark, cancel, stop, end and the machine."""
    victim: int = 0
    """The process that is killed at its `kill_at`-th request (of the kind `kill_only`), before or after the answer."""
    kill_at: int = 0
    kill_only: str = ""
    kill_after: bool = True
    requests: int = 0
    calls: Counter[tuple[str, str, bytes]] = field(default_factory=Counter[tuple[str, str, bytes]])
    """What was asked for, word for word: region, action, parameters."""
    messages: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """What was published to topics."""
    under_way: set[str] = field(default_factory=set[str])
    together: int = 0
    """The most regions that were asked at the same time."""
    answered: list[float] = field(default_factory=list[float])

    def __post_init__(self) -> None:
        self.launched_at = datetime(2025, 12, 31, tzinfo=UTC)
        self.objects.setdefault(f"setup/aws/{REGION}.json", b"{}")

    def ids(self) -> list[str]:
        return [id_of(number) for number in range(self.machines)]

    def labels_of(self, id: str) -> dict[str, str]:
        return self.labels.get(id, OURS)

    def state_of(self, id: str) -> str:
        return self.state.get(id, "running")

    def idle(self, id: str) -> bool:
        return not self.busy and number_of(id) % 2 == 1

    def knows(self, id: str) -> bool:
        return number_of(id) < self.machines and number_of(id) not in self.vanished

    def fatal(self, operation: str) -> bool:
        """Whether this request is the victim's last."""
        self.requests += 1
        if self.kill_only in ("", operation) and self.kill_at:
            self.kill_at -= 1
            return not self.kill_at
        return False

    def throttled(self) -> bool:
        """Whether one more call is too many for this second."""
        if not self.rate:
            return False
        now = time.monotonic()
        self.answered = [at for at in self.answered if now - at < 1]
        if len(self.answered) >= self.rate:
            return True
        self.answered.append(now)
        return False


def id_of(number: int) -> str:
    return f"i-{number:017x}"


def number_of(id: str) -> int:
    return int(id.removeprefix("i-"), 16)
