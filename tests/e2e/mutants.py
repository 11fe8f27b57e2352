"""accelctl with one safeguard taken out, so that the harness can be seen to fail: python -m tests.e2e.mutants …"""

import os
import sys
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from provisioner.catalog.labels import TOKEN
from provisioner.cli.main import run
from provisioner.jobs import launching, step
from provisioner.jobs.actions import Buy
from provisioner.jobs.buying import intended, with_attempt
from provisioner.jobs.records import Held


def without_intent() -> None:
    """The launch comes first; what was intended is written with its result."""
    original: Callable[..., Held] = step.Stepper._act  # pyright: ignore[reportPrivateUsage]

    def act(self: Any, held: Held, action: Any) -> Held:
        if not isinstance(action, Buy):
            return original(self, held, action)
        record = intended(held.record, action.offerings, self._tariff, self._clock.now())
        attempt = replace(record.attempts[-1], token=uuid.uuid4().hex)  # a token that nobody wrote down
        return self._launching.launch(Held(record=with_attempt(record, attempt), tag=held.tag), attempt)

    step.Stepper._act = act  # pyright: ignore


def without_token() -> None:
    """Every launch is a new purchase, and no label says which."""
    original: Callable[..., Any] = launching.Launching._request  # pyright: ignore[reportPrivateUsage]

    def request(self: Any, *arguments: Any) -> Any:
        asked, token = original(self, *arguments), uuid.uuid4().hex
        return replace(asked, token=token, labels={**asked.labels, TOKEN: token})

    launching.Launching._request = request  # pyright: ignore


MUTANTS = {"no-intent": without_intent, "no-token": without_token}

if __name__ == "__main__":
    MUTANTS[os.environ["ACCELCTL_TEST_MUTANT"]]()
    sys.exit(run(sys.argv[1:]))
