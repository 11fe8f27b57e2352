"""The states of a PyTorch program to a checkpoint and back. Needs `torch` 1.13 or newer."""

import json
import random
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

# By name, so that types can be checked where torch is not: it is no dependency, and would bring gigabytes of CUDA.
torch: Any = import_module("torch")

_RANDOM = "random"
# The restricted reader of torch 1.13 knows no floats, which every optimizer's state has.
_WEIGHTS_ONLY = int(torch.__version__.partition(".")[0]) >= 2


class Stateful(Protocol):
    """What has a state: a module, an optimizer, a scheduler, a scaler, a stateful sampler."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: dict[str, Any], /) -> object: ...


def save(folder: Path, **parts: Stateful) -> None:
    """Writes `<name>.pt` for each part, and the random states of Python and torch (CPU and each CUDA device).

    numpy's random state is not among them.
    """
    for name, part in parts.items():
        torch.save(part.state_dict(), folder / f"{name}.pt")
    torch.save(_random_state(), folder / f"{_RANDOM}.pt")


def load(folder: Path, **parts: Stateful) -> None:
    """Puts each part, and the random states, back to what `save` wrote; each part's tensors stay on its own device.

    From PyTorch 2 on it reads tensors and plain values only (`weights_only`): a file that would run code is refused,
    by torch's own error. PyTorch 1.13 trusts the file.
    """
    for name, part in parts.items():
        part.load_state_dict(_read(folder / f"{name}.pt"))
    _set_random_state(_read(folder / f"{_RANDOM}.pt"))


def _read(file: Path) -> dict[str, Any]:
    return torch.load(file, map_location="cpu", weights_only=_WEIGHTS_ONLY)


def _random_state() -> dict[str, Any]:
    cuda: list[Any] = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    # Python's state as text: a restricted reader knows tensors and plain values, not its tuple of large numbers.
    return {"python": json.dumps(random.getstate()), "torch": torch.get_rng_state(), "cuda": cuda}


def _set_random_state(state: dict[str, Any]) -> None:
    version, internal, gauss_next = json.loads(state["python"])
    random.setstate((version, tuple(internal), gauss_next))
    torch.set_rng_state(state["torch"])
    # The machine that resumes may have fewer devices than the one that saved.
    for device, device_state in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(device_state, device)
