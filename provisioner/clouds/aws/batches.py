"""Calls that take many machines and refuse all of them for one: halved until the one is alone.

EC2's batches are all or nothing for a vanished id, a protected machine, a one-time spot machine that is to stop:
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html
"""

from collections.abc import Callable, Iterator, Sequence

from provisioner.clouds.aws.errors import translated
from provisioner.errors import AccelctlError, CloudUnavailable, RateLimited

MOST = 200
"""Machines in one call. EC2 takes 1,000; smaller batches are refused whole less often."""
Call = Callable[[list[str]], object]


def refusals(action: str, ids: Sequence[str], call: Call) -> dict[str, AccelctlError]:
    """Why, by id, of those that were refused; all others are done."""
    parts = [list(ids[start : start + MOST]) for start in range(0, len(ids), MOST)]
    return {one: refusal for part in parts for one, refusal in halved(action, part, call)}


def halved(action: str, ids: list[str], call: Call) -> Iterator[tuple[str, AccelctlError]]:
    """Of a refusal that is nobody's in particular the whole part hears."""
    try:
        with translated(action):
            call(ids)
    except (RateLimited, CloudUnavailable) as refusal:
        yield from ((one, refusal) for one in ids)
    except AccelctlError as refusal:
        if len(ids) == 1:
            yield ids[0], refusal
            return
        middle = len(ids) // 2
        yield from halved(action, ids[:middle], call)
        yield from halved(action, ids[middle:], call)
