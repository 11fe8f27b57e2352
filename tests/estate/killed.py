"""A sweep that is killed at one of its requests, carried on by later ones, and what is to be seen afterwards."""

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.estate.server import Server
from tests.estate.tables import OURS, REGION, Estate, id_of

STOPPED, RETURNING, ONE_TIME, AWAKE = (1, 3), 5, 7, 0
MACHINES = 30
MARK = {"accelctl:reap": "2026-01-01T00:00:00Z before idle"}
TOPIC = f"arn:aws:sns:{REGION}:123456789012:idle"
MOST = 6
"""Runs until nothing is left to do: three machines may go in one."""
PATIENCE = 120


def estate() -> Estate:
    """Four are due, one works again, the other idle ones are to be marked."""
    due = [*STOPPED, RETURNING, ONE_TIME, AWAKE]
    return Estate(
        machines=MACHINES, persistent=frozenset({RETURNING}), one_time=frozenset({ONE_TIME}),
        labels={id_of(number): OURS | MARK for number in due},
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of it: the requests of the hurt run, and what is wrong, in words."""

    requests: int
    wrong: tuple[str, ...]

    @property
    def right(self) -> bool:
        return not self.wrong


def hurt_sweep(*, at: int = 0, only: str = "", after: bool = True) -> Played:
    """Killed before or after its n-th request (of that kind); 0 is never."""
    held = estate()
    with served(held) as url:
        victim = reap(url)
        held.kill_at, held.kill_only, held.kill_after, held.victim = at, only, after, victim.pid
        victim.communicate(timeout=PATIENCE)
        held.kill_at, requests = 0, held.requests
        for _ in range(MOST):
            if reap(url).wait(PATIENCE) == 0 and not waiting(held):
                break
    return Played(requests=requests, wrong=tuple(wrong(held)))


@contextmanager
def served(held: Estate) -> Generator[str]:
    server = Server(held)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.url
    finally:
        server.shutdown()
        server.server_close()


def reap(url: str) -> "subprocess.Popen[str]":
    places = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "estate", "AWS_SECRET_ACCESS_KEY": "none",
              "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true", "ACCELCTL_OWNER_TOPIC": TOPIC}  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "provisioner", "reap", "--apply", "--yes"], env=os.environ | places, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def waiting(held: Estate) -> list[str]:
    """Machines that are due and still there."""
    return [one for one in map(id_of, (*STOPPED, RETURNING, ONE_TIME)) if held.state_of(one) == "running"]


def wrong(held: Estate) -> Generator[str]:
    """Everything that is not as if nobody had been killed."""
    for one in waiting(held):
        yield f"{one} is still there"
    for number, state in {**dict.fromkeys(STOPPED, "stopped"), RETURNING: "terminated", ONE_TIME: "terminated"}.items():
        if held.state_of(id_of(number)) != state:
            yield f"{id_of(number)} is {held.state_of(id_of(number))}, not {state}"
    for act, times in Counter(held.acts).items():
        if times > 1:
            yield f"{act} {times} times"
    first = next(iter(held.cancelled), "")
    if held.acts.index(("end", id_of(RETURNING))) < held.acts.index(("cancel", id_of(RETURNING))) or not first:
        yield f"the request of {id_of(RETURNING)} did not go before it"
    ended = {one for act, one in held.acts if act in ("end", "stop")}
    if extra := ended - {id_of(number) for number in (*STOPPED, RETURNING, ONE_TIME)}:
        yield f"ended though not due: {', '.join(sorted(extra))}"
    for number in range(MACHINES):
        marked = "accelctl:reap" in held.labels_of(id_of(number))
        if marked != (number % 2 == 1):
            yield f"{id_of(number)} is {'marked' if marked else 'not marked'}"
    if not held.messages:
        yield "nobody was told"
