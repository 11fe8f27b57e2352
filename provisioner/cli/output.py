"""The only printer: data on stdout, everything else on stderr, readable without colour."""

import os
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import click

from provisioner.errors import ConfigError

if TYPE_CHECKING:
    from decimal import Decimal


class OutputFormat(StrEnum):
    """What `--output` takes."""

    TABLE = "table"
    JSON = "json"


def data(text: str) -> None:
    """A line of data, on stdout. Raises ConfigError where it cannot be written."""
    with delivered():
        click.echo(text)


def raw(pieces: Iterable[bytes]) -> None:
    """A program's words as they are, on stdout. Raises ConfigError where they cannot be written."""
    with delivered():
        sys.stdout.buffer.writelines(pieces)
        sys.stdout.flush()


@contextmanager
def delivered() -> Generator[None]:
    """A disk without room is no defect; that nobody reads on is none either, and told by BrokenPipeError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as refusal:
        give_up()
        raise ConfigError(f"the output cannot be written: {refusal.strerror}.", hint="write it elsewhere.") from refusal


def give_up() -> None:
    """What stdout did not take would be written once more when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def document(value: object) -> None:
    """One JSON document on stdout."""
    import json

    from provisioner.domain.contract import plain

    data(json.dumps(value, default=plain, indent=2))


def note(text: str) -> None:
    """Progress and other talk, on stderr."""
    click.echo(text, err=True)


@contextmanager
def progress(what: str) -> "Generator[Callable[[int, int], None]]":
    """Tells of bytes that moved and of how many there are: a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _moved, _all: None
        return
    with click.progressbar(length=0, label=what, file=sys.stderr, width=0) as bar:  # its length is known later

        def moved(more: int, of: int) -> None:
            bar.length = of
            bar.update(more)

        yield moved


def warn(text: str) -> None:
    note(f"{emphasised('warning:', 'yellow')} {text}")


def show_warnings() -> None:
    """What the parts below warn of is shown as a warning of this command."""
    import logging

    class Shown(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warn(record.getMessage())

    logging.getLogger("provisioner").handlers = [Shown()]


def hint(text: str) -> None:
    note(f"{emphasised('hint:', 'cyan')} {text}")


def error(message: str, advice: str = "") -> None:
    """One sentence, then what to do about it."""
    note(f"{emphasised('error:', 'red')} {message}")
    if advice:
        hint(advice)


def emphasised(text: str, colour: str) -> str:
    coloured = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    return click.style(text, fg=colour, bold=True) if coloured else text


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Left-aligned columns two spaces apart; numbers as they are given."""
    lines = [[str(cell) for cell in row] for row in (headers, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def money(amount: "Decimal | None") -> str:
    """Dollars and cents for a person; more digits below a cent."""
    if amount is None:
        return "unknown"
    return f"${amount:,.2f}" if amount == 0 or abs(amount) * 100 >= 1 else f"${amount:.4f}"


def rate(amount: "Decimal | None") -> str:
    """A price by the hour or the GiB: that of a small machine is less than a cent's worth of digits."""
    return money(amount) if amount is None or amount >= 1 or amount == 0 else f"${amount:.4f}"


def span(duration: timedelta | None) -> str:
    """A duration for a person: 42 s, 3 min 20 s, 2 h 05 min."""
    if duration is None:
        return "unknown"
    seconds = round(duration.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"


def size(count: int) -> str:
    """Bytes for a person, in binary units."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
