"""Starting the examples as the machine does: as processes of their own, in a folder of their own."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A running example; killed when it takes longer than anything here may."""

    process: subprocess.Popen[str]

    def wait_for(self, text: str) -> None:
        """Reads its output up to the line that contains `text`."""
        assert self.process.stdout
        seen: list[str] = []
        for line in self.process.stdout:
            seen.append(line)
            if text in line:
                return
        pytest.fail(f"{text!r} did not come, but {''.join(seen)!r}")

    def end(self) -> tuple[int, str]:
        """Its exit code, and the rest of its output."""
        output, _ = self.process.communicate(timeout=LIMIT_SECONDS)
        return self.process.returncode, output


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """A work folder in which attempts of one job follow each other."""

    path: Path
    programs: list[Program]
    python: str = sys.executable

    def start(self, example: str, *options: object, **variables: object) -> Program:
        """Starts `examples/<example>`; `variables` join an environment with nothing of accelctl in it."""
        command = [self.python, str(ROOT / "examples" / example), *map(str, options)]
        process = subprocess.Popen(
            command,
            cwd=self.path,
            env={"PATH": os.environ["PATH"], "HOME": str(self.path), "PYTHONPATH": str(ROOT)}
            | {name: str(value) for name, value in variables.items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.programs.append(Program(process=process))
        return self.programs[-1]

    def run(self, example: str, *options: object, **variables: object) -> dict[str, Any]:
        """Runs it to its end, which must be a good one, and returns what it left in outputs/result.json."""
        code, output = self.start(example, *options, **variables).end()
        assert code == 0, output
        return json.loads((self.path / "outputs" / "result.json").read_text())


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Callable[..., Workplace]]:
    """Makes work folders by name. What was started in them does not outlive the test, or the limit."""
    programs: list[Program] = []

    def end_all() -> None:
        for program in programs:
            program.process.kill()

    def make(name: str, python: str = sys.executable) -> Workplace:
        (tmp_path / name).mkdir()
        return Workplace(path=tmp_path / name, programs=programs, python=python)

    limit = threading.Timer(LIMIT_SECONDS, end_all)
    limit.start()
    yield make
    limit.cancel()
    end_all()
    for program in programs:
        program.process.communicate()
