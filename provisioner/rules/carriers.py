"""python -m provisioner.rules.carriers PACKAGE…: the types of a Pulumi SDK that could carry a machine, one a line.

A type could where it has an input named like an instance type, at any depth. Read off the SDK's sources: importing
all of one takes minutes.
"""

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from provisioner.rules.readers import plain

CARRIES = re.compile(r"\w*(instance_types?|machine_types?|vm_sizes?|accelerator_types?|node_configs?)")
TOKEN = re.compile(r"super\((\w+), __self__\).__init__\(\s*'([^']+)'")
BLOCK = re.compile(r"^class (\w+)ArgsDict\(TypedDict\):\n((?:(?!^class ).*\n)*)", re.MULTILINE)
FIELD = re.compile(r"^    (\w+): (.*)$", re.MULTILINE)
NESTED = re.compile(r"'(?:_\w+\.)*(\w+?)Args(?:Dict)?'")
ARGUMENTS = re.compile(r"class {}Args:\n(?:    .*\n|\n)*?    def __init__\(__self__, \*,\n((?:.*\n)*?)        \"\"\"")
ARGUMENT = re.compile(r"^\s+(\w+): (.*)$", re.MULTILINE)

Fields = dict[str, set[str]]
"""Name of a field -> the blocks that it may hold."""


def carriers(package: str) -> list[str]:
    """The tokens of one SDK, in order."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is not installed.")
    root = Path(found.origin).parent
    folders = [root, *(folder for folder in root.rglob("*") if folder.is_dir())]
    return sorted({plain(token) for folder in folders for token in in_module(folder)})


def in_module(folder: Path) -> Iterator[str]:
    inputs = folder / "_inputs.py"
    held = BLOCK.findall(inputs.read_text()) if inputs.exists() else []
    blocks = {name: fields(body) for name, body in held}
    for file in folder.glob("*.py"):
        text = file.read_text()
        for name, token in TOKEN.findall(text):
            arguments = re.search(ARGUMENTS.pattern.replace("{}", name), text)
            if arguments and carries(fields(arguments[1], ARGUMENT), blocks, set()):
                yield token


def fields(body: str, shape: re.Pattern[str] = FIELD) -> Fields:
    return {name: set(NESTED.findall(kind)) for name, kind in shape.findall(body)}


def carries(held: Fields, blocks: dict[str, Fields], seen: set[str]) -> bool:
    if any(CARRIES.fullmatch(name) for name in held):
        return True
    inner = {name for names in held.values() for name in names} - seen
    return any(carries(blocks[name], blocks, seen | inner) for name in inner if name in blocks)


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        sys.stdout.write("".join(f"{token}\n" for token in carriers(wanted)))
