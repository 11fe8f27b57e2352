"""python -m provisioner.functions.bundle FILE: packs a function with what it needs and nothing else.

The same bytes for the same sources. boto3 is Lambda's own.
"""

import importlib.metadata
import platform
import sys
import zipfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from provisioner.errors import ConfigError

PACKAGES = ("click", "msgspec", "obstore")
"""Of what accelctl depends on, what a round uses."""
LEFT_OUT = frozenset({"cli", "sandbox", "checkpoint", "rules", "teardown", "__pycache__"})
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
EPOCH = (1980, 1, 1, 0, 0, 0)
HANDLER = "provisioner.functions.aws.handler"
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
"""Compiled packages fit the Python that they were installed for."""


def architecture() -> str:
    """Lambda's name of this machine's. Raises ConfigError where what is installed here cannot run there."""
    if sys.platform != "linux" or platform.machine() not in ARCHITECTURES:
        raise ConfigError(
            f"a function cannot be packed on {sys.platform} {platform.machine()}: its compiled parts are for Linux.",
            hint="pack it on Linux, in a container or in CI.",
        )
    return ARCHITECTURES[platform.machine()]


def build(target: Path) -> Path:
    """Writes the zip, whole or not at all."""
    architecture()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".partial")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in sorted([*ours(), *theirs()]):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, file.read_bytes())
    return part.replace(target)


def ours() -> Iterator[tuple[str, Path]]:
    """Every room of this package that a round enters."""
    root = Path(str(files("provisioner")))
    for file in root.rglob("*"):
        inside = file.relative_to(root)
        if file.is_file() and not LEFT_OUT.intersection(inside.parts) and file.suffix != ".pyc":
            yield f"provisioner/{inside}", file


def theirs() -> Iterator[tuple[str, Path]]:
    """The installed files of the packages, as their own records list them."""
    for package in PACKAGES:
        for file in importlib.metadata.files(package) or []:
            if ".." not in file.parts and file.suffix != ".pyc" and not file.parts[0].endswith(".dist-info"):
                yield str(file), Path(str(file.locate()))


if __name__ == "__main__":
    made = build(Path(sys.argv[1] if len(sys.argv) > 1 else "reaper.zip"))
    sys.stdout.write(f"{made}: {made.stat().st_size / 2**20:.1f} MiB, {RUNTIME}, {architecture()}\n")
