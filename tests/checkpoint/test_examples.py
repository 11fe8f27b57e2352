"""The examples, as processes: interrupted by signal, by file and not at all."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from provisioner.checkpoint import EXIT_INTERRUPTED

SLOW = 0.25
"""Seconds per step that leave a busy machine time to interrupt a program before its end."""


def test_count_by_signal(workplace: Callable[..., Any]) -> None:
    """On SIGTERM it saves the very step it is at, leaves with 143, and goes on from there to the exact sum."""
    job = workplace("job")
    options = ("--steps", 40, "--save-every", 1000)
    first = job.start("count.py", *options, "--pace", SLOW, "--print-every", 1)
    first.wait_for("step 2 of 40")
    first.process.send_signal(signal.SIGTERM)
    code, output = first.end()
    assert (code, "interrupted after step" in output) == (EXIT_INTERRUPTED, True)
    result = job.run("count.py", *options, "--pace", 0, ACCELCTL_ATTEMPT=2)
    assert (result["steps"], result["sum"]) == (40, sum(range(40)))
    stopped = int(output.split("interrupted after step ")[1].split(":")[0])
    assert result["attempts"] == [[1, 0], [2, stopped]]


def test_count_by_file(workplace: Callable[..., Any], tmp_path: Path) -> None:
    """The interruption file alone makes it save once, in the folder of the environment, and stop."""
    job = workplace("job")
    notice, folder = tmp_path / "notice", tmp_path / "elsewhere"
    variables = {"ACCELCTL_INTERRUPTION_FILE": notice, "ACCELCTL_CHECKPOINT_DIR": folder}
    options = ("--steps", 10_000, "--pace", 0.01, "--save-every", 10_000, "--print-every", 1)
    first = job.start("count.py", *options, **variables)
    first.wait_for("step 3 of")
    notice.touch()
    assert first.end()[0] == EXIT_INTERRUPTED
    assert len(list(folder.iterdir())) == 1
    assert not (job.path / "outputs").exists()


def test_count_that_ignores_it(workplace: Callable[..., Any], tmp_path: Path) -> None:
    """A stubborn program goes on through SIGTERM and the file to its end."""
    job = workplace("job")
    options = ("--steps", 30, "--pace", 0.05, "--print-every", 1, "--ignore-sigterm")
    program = job.start("count.py", *options, ACCELCTL_INTERRUPTION_FILE=tmp_path / "notice")
    program.wait_for("step 2 of 30")
    (tmp_path / "notice").touch()
    program.process.send_signal(signal.SIGTERM)
    code, output = program.end()
    assert (code, "step 30 of 30" in output) == (0, True)


def test_jax_is_the_same_bit_for_bit(workplace: Callable[..., Any]) -> None:
    """Interrupted by signal and resumed by Orbax, the parameters are those of a training left in peace."""
    peace, job = workplace("peace"), workplace("job")
    options = ("--steps", 60, "--print-every", 1)
    expected = peace.run("train_jax.py", *options)
    first = job.start("train_jax.py", *options, "--pace", SLOW)
    first.wait_for("step 3 of 60")
    first.process.send_signal(signal.SIGTERM)
    code, output = first.end()
    assert code == EXIT_INTERRUPTED, output
    result = job.run("train_jax.py", *options, ACCELCTL_ATTEMPT=2)
    assert {**result, "attempts": []} == {**expected, "attempts": []}
    assert result["attempts"][0] == [1, 0]
    assert 3 <= result["attempts"][1][1] < 60


def test_jax_learns(workplace: Callable[..., Any]) -> None:
    """Its loss falls well below that of answering 0 everywhere, which is 0.36: it is a training and not a show."""
    assert workplace("job").run("train_jax.py", "--steps", 100)["loss"] < 0.02
