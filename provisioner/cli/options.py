"""Options and types that several commands share."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import click

from provisioner.cli.output import OutputFormat

F = TypeVar("F", bound=Callable[..., Any])


class Duration(click.ParamType[timedelta]):
    """90s, 5m, 1h30m, 2d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        from provisioner.domain.quantities import duration

        try:
            return value if isinstance(value, timedelta) else duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Usd(click.ParamType[Decimal]):
    """A positive amount of US dollars."""

    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        from provisioner.domain.quantities import usd

        try:
            return value if isinstance(value, Decimal) else usd(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def output_option(function: F) -> F:
    return click.option(
        "--output", "form", type=click.Choice([form.value for form in OutputFormat]), default="table",
        help="How data is printed.", show_default=True,
    )(function)  # fmt: skip


def yes_option(function: F) -> F:
    return click.option("--yes", is_flag=True, help="Answer every question with yes.")(function)


def cloud_option(function: F) -> F:
    return click.option("--cloud", help="Where: aws.")(function)
