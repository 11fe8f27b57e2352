"""accelctl config."""

from datetime import timedelta
from typing import cast

import click

from provisioner.cli import output
from provisioner.cli.options import output_option
from provisioner.cli.output import OutputFormat
from provisioner.domain.quantities import written


@click.group()
def command() -> None:
    """Settings, and where each came from."""


@command.command()
@output_option
def show(form: str) -> None:
    """Print every setting with its value and its source.

    \b
    accelctl config show
    """
    from provisioner.settings import SETTINGS, load

    settings = load()
    if form == OutputFormat.JSON:
        rows = [{"name": name, "value": held.value, "source": held.source} for name, held in settings.values.items()]
        return output.document({"settings": rows})
    rows = [(name, plain(held.value), held.source, SETTINGS[name].help) for name, held in settings.values.items()]
    return output.data(output.table(("SETTING", "VALUE", "FROM", "WHAT"), rows))


def plain(value: object) -> str:
    match value:
        case None | "" | ():
            return "-"
        case tuple():
            parts = cast("tuple[object, ...]", value)
            return ",".join(str(part) for part in parts)
        case timedelta():
            return written(value)
        case _:
            return str(value)
