"""accelctl fetch."""

from pathlib import Path

import click

from provisioner.cli import output
from provisioner.cli.options import output_option
from provisioner.cli.output import OutputFormat


@click.command(short_help="Bring outputs and the newest checkpoint here, verified.")
@click.argument("job")
@click.argument("folder", required=False, metavar="[DIR]", type=click.Path(path_type=Path, file_okay=False))
@click.option("--outputs", "below", default="", metavar="PATH", help="Only this path of what was saved.")
@output_option
def command(job: str, folder: Path | None, below: str, form: str) -> None:
    """Bring outputs and the newest checkpoint here; every file is checked against its manifest.

    \b
    accelctl fetch 20261120-224501-x7k2m results --outputs outputs
    """
    from provisioner.cli.narrate import files
    from provisioner.errors import ConfigError
    from provisioner.jobs.fetch import fetch
    from provisioner.workplace import Workplace

    place = Workplace()
    record = place.records.find(job)
    try:
        with output.progress("fetching") as moved:
            brought = fetch(
                place.objects, record.id, folder or Path(record.id), below=below, warn=output.warn, brought=moved
            )
    except OSError as wrong:
        raise ConfigError(
            f"DIR: {wrong.filename}: {wrong.strerror}.", hint="name a folder that can be written."
        ) from wrong
    if form == OutputFormat.JSON:
        return output.document({
            "job": record.id, "folder": brought.folder, "checkpoint": brought.sequence, "files": brought.files,
            "bytes": brought.bytes, "damaged": brought.damaged,
        })  # fmt: skip
    return output.data(
        f"{files(brought.files)} ({output.size(brought.bytes)}) of checkpoint {brought.sequence} in {brought.folder}"
    )
