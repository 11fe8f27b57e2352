"""`accelctl --help` against a bare click program with as many commands: at most 1.3 times as long."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from provisioner.cli.main import COMMANDS

LIMIT = 1.3
RUNS = 15
BARE = """
import click

@click.group()
def main():
    "A bare program."

def make(name, text):
    @main.command(name, help=text)
    def command():
        pass

for name, text in {commands!r}.items():
    make(name, text)

main()
"""


def seconds(command: list[str]) -> float:
    """Median of some runs, after one that warms the caches."""
    times: list[float] = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE.format(commands={name: text for name, (_, text) in COMMANDS.items()}))
        peer = seconds([sys.executable, str(bare), "--help"])
        ours = seconds([sys.executable, "-m", "provisioner", "--help"])
    start = seconds([sys.executable, "-c", "pass"])
    ratio = ours / peer
    print(f"help: accelctl {ours * 1000:.0f} ms, bare click {peer * 1000:.0f} ms, python -c pass {start * 1000:.0f} ms")
    print(f"help: ratio {ratio:.2f} (limit {LIMIT})")
    return int(ratio > LIMIT)
