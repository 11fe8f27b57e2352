"""Hearing of an interruption, saving once more, and leaving signal handlers as they were."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.checkpoint import Checkpoints, Environment
from provisioner.errors import ConfigError


@pytest.fixture(autouse=True)
def handler_of_before() -> Iterator[list[int]]:
    """A handler for SIGTERM that was there first, and what it was called with."""
    calls: list[int] = []
    original = signal.signal(signal.SIGTERM, lambda number, _: calls.append(number))
    yield calls
    signal.signal(signal.SIGTERM, original)


@pytest.fixture
def notice(tmp_path: Path) -> Path:
    return tmp_path / "interrupted.json"


@pytest.fixture
def checkpoints(tmp_path: Path, notice: Path) -> Checkpoints:
    environment = Environment(folder=tmp_path / "checkpoints", interruption_file=notice)
    return Checkpoints(every_steps=10, environment=environment)


def write(folder: Path) -> None:
    (folder / "state").write_text("x")


def test_the_file_announces_it(checkpoints: Checkpoints, notice: Path) -> None:
    """Once the file is there the program is interrupted, and stays so."""
    assert not checkpoints.interrupted
    notice.touch()
    assert checkpoints.interrupted
    notice.unlink()
    assert checkpoints.interrupted


def test_one_final_save(checkpoints: Checkpoints, notice: Path) -> None:
    """After the notice one save is due at once; a program that goes on is back at its interval."""
    notice.touch()
    due = [step for step in range(3, 25) if checkpoints.due(step) and checkpoints.save(step, write)]
    assert due == [3, 10, 20]


def test_a_notice_while_saving(checkpoints: Checkpoints, notice: Path) -> None:
    """A notice that comes during a save leaves one more save due, for the step after it."""
    checkpoints.save(10, lambda folder: (write(folder), notice.touch()))
    assert [checkpoints.due(10), checkpoints.due(11)] == [False, True]


def test_a_notice_right_after_a_save(checkpoints: Checkpoints, notice: Path) -> None:
    """A step that is saved already need not be saved again for the notice."""
    checkpoints.save(10, write)
    notice.touch()
    assert not checkpoints.due(10)


def test_sigterm_is_an_interruption_inside_the_context_only(
    checkpoints: Checkpoints, handler_of_before: list[int]
) -> None:
    """Inside, SIGTERM interrupts and reaches the earlier handler too; before and after, that one alone."""
    before = signal.getsignal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    assert not checkpoints.interrupted
    with checkpoints as entered:
        signal.raise_signal(signal.SIGTERM)
        assert entered.due(1)
    assert signal.getsignal(signal.SIGTERM) is before
    assert handler_of_before == [signal.SIGTERM] * 2


def test_sigterm_where_there_was_no_handler(checkpoints: Checkpoints) -> None:
    """Where SIGTERM would have ended the program, it lives on to save; afterwards it would end it again."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with checkpoints:
        signal.raise_signal(signal.SIGTERM)
    assert checkpoints.interrupted
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_listening_twice_is_listening_once(checkpoints: Checkpoints, handler_of_before: list[int]) -> None:
    """A second listen() neither calls itself for ever nor forgets the handler of before."""
    before = signal.getsignal(signal.SIGTERM)
    checkpoints.listen().listen()
    signal.raise_signal(signal.SIGTERM)
    checkpoints.ignore()
    checkpoints.ignore()
    assert handler_of_before == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_handler_goes_with_an_error_too(checkpoints: Checkpoints) -> None:
    """A program that fails inside the context leaves the earlier handler in place."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), checkpoints:
        _ = 1 / 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_other_threads_are_told_why_not(checkpoints: Checkpoints) -> None:
    """Outside the main thread listening is refused in one sentence, with what to do instead."""
    raised: list[ConfigError] = []

    def listen() -> None:
        try:
            checkpoints.listen()
        except ConfigError as error:
            raised.append(error)

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert "main thread only" in raised[0].message
    assert raised[0].hint
