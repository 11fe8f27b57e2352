"""accelctl adopt."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from provisioner.cli import output
from provisioner.cli.options import output_option
from provisioner.cli.output import OutputFormat

if TYPE_CHECKING:
    from provisioner.catalog.pending import Pending

BY_HAND = "look for them in the cloud; 'pulumi refresh --clear-pending-creates' forgets what is not there."
SUBSCRIPTION = ("ARM_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID")
PROJECT = ("GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")
REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")


@click.command(short_help="Give a Pulumi stack what a killed 'pulumi up' was making.")
@click.argument("stack")
@output_option
def command(stack: str, form: str) -> None:
    """Write into the stack's state what a killed 'pulumi up' was making, so that the next one makes nothing twice.

    Run it where the project is, after 'pulumi cancel'.

    \b
    accelctl adopt aws-p5
    """
    from provisioner.catalog import pending
    from provisioner.errors import ConfigError

    state = json.loads(pulumi("stack", "export", stack=stack))
    waiting = pending.pending(state)
    ids = {one.urn: found for one in waiting if (found := identity(one, state)) is not None}
    taken = {urn: found for urn, found in ids.items() if found}
    if ids:
        write(pending.adopted(state, taken, set(ids) - set(taken)), stack)
        pulumi("refresh", "--yes", "--skip-preview", stack=stack)  # reads them, and drops what was not made after all
    tell(waiting, ids, form)
    if unsure := [f"{one.type} {one.name}" for one in waiting if one.urn not in ids]:
        raise ConfigError(f"nobody can tell whether these were made: {', '.join(unsure)}.", hint=BY_HAND)


def tell(waiting: "list[Pending]", ids: dict[str, str], form: str) -> None:
    rows = [(one.type, one.name, ids[one.urn]) for one in waiting if one.urn in ids]
    if form == OutputFormat.JSON:
        return output.document({"adopted": [dict(zip(("type", "name", "id"), row, strict=True)) for row in rows]})
    if not waiting:
        return output.note("nothing is pending in this stack")
    return output.data(output.table(("TYPE", "NAME", "ID"), [(*row[:2], row[2] or "-") for row in rows]))


def identity(one: "Pending", state: dict[str, Any]) -> str | None:
    """Its id; empty where there is nothing to adopt, None where nobody can tell."""
    from provisioner.catalog import pending

    if pending.said_again(one):
        return ""
    told = surroundings() | pending.settings(state, one.cloud)
    if one.cloud != "aws":
        return pending.id_of(one, told)
    from provisioner.clouds.aws.pending import Orphans
    from provisioner.clouds.aws.sessions import Sessions

    region = one.inputs.get("region") or told.get("region", "")
    orphans = Orphans(Sessions(region), region, pending.known(state))
    if orphans.covers(one):
        return orphans.find(one)
    return pending.id_of(one, told | {"account": orphans.account()})


def surroundings() -> dict[str, str]:
    """What the providers read from the environment."""
    names = {"subscription": SUBSCRIPTION, "project": PROJECT, "region": REGION}
    found = {what: next((os.environ[name] for name in several if os.environ.get(name)), "")
             for what, several in names.items()}  # fmt: skip
    return {what: value for what, value in found.items() if value}


def write(state: dict[str, Any], stack: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "state.json"
        file.write_text(json.dumps(state))
        pulumi("stack", "import", "--file", str(file), stack=stack)


def pulumi(*arguments: str, stack: str) -> str:
    """What it prints. Raises ConfigError in Pulumi's own words."""
    from provisioner.errors import ConfigError

    command = ["pulumi", *arguments, "--non-interactive", "--stack", stack]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ConfigError("pulumi is not installed.", hint="'make pulumi' builds it.")
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise ConfigError(
            f"'pulumi {arguments[0]}' of stack '{stack}' ended with {done.returncode}.",
            hint="run it in the stack's own folder; 'pulumi cancel' takes the lock of a killed one away.",
        )
    return done.stdout
