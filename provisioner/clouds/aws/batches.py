"""Calls that take many machines and refuse all of them for one: halved until the one is alone.

EC2's batches are all or nothing for a vanished id, a protected machine, a one-time spot machine that is to stop:
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html
"""

from collections.abc import Callable, Sequence

from provisioner.clouds.aws.errors import translated
from provisioner.clouds.base import everybodys
from provisioner.errors import AccelctlError, CloudUnavailable, CredentialsRefused, RateLimited

MOST = 200
"""Machines in one call. EC2 takes 1,000; smaller batches are refused whole less often."""
WHOLE = RateLimited, CloudUnavailable, CredentialsRefused
Call = Callable[[list[str]], object]


def refusals(action: str, ids: Sequence[str], call: Call) -> dict[str, AccelctlError]:
    """Why, by id, of those that were refused; all others are done."""
    heard: dict[str, AccelctlError | None] = {}
    left = list(ids)
    while left:
        together: list[str] = []
        for start in range(0, len(left), MOST):
            halve(action, left[start : start + MOST], call, heard, together)
        left = together if None in heard.values() else []  # not everybody's after all
    return {one: why for one, why in heard.items() if why is not None}


def halve(action: str, ids: list[str], call: Call, heard: dict[str, AccelctlError | None], together: list[str]) -> None:
    """Of a refusal that is nobody's in particular the whole part hears; `together` are those not asked alone."""
    why = refusal(action, ids, call)
    if len(ids) == 1 or why is None or isinstance(why, WHOLE):
        heard |= dict.fromkeys(ids, why)
        return
    if everybodys(heard):
        heard |= dict.fromkeys(ids, why)
        together += ids
        return
    middle = len(ids) // 2
    halve(action, ids[:middle], call, heard, together)
    halve(action, ids[middle:], call, heard, together)


def refusal(action: str, ids: list[str], call: Call) -> AccelctlError | None:
    try:
        with translated(action):
            call(ids)
    except AccelctlError as refused:
        return refused
    return None
