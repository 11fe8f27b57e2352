"""accelctl sandbox."""

import shlex
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import click

from provisioner.cli import output
from provisioner.cli.options import Duration, Usd, output_option
from provisioner.cli.output import OutputFormat
from provisioner.errors import ConfigError

T = TypeVar("T")


@click.group()
def command() -> None:
    """A local cloud: the same commands and the same SDK calls, real processes instead of machines, no bill.

    \b
    accelctl sandbox start
    eval "$(accelctl sandbox env)"
    """


def tried(action: Callable[[], T]) -> T:
    """The sandbox's own words become an error with a hint."""
    from provisioner.sandbox.client import SandboxError

    try:
        return action()
    except SandboxError as failure:
        hint = (
            "'accelctl sandbox start' starts it." if "not running" in str(failure) else "see 'accelctl sandbox status'."
        )
        raise ConfigError(f"{failure}.", hint=hint) from None


def ask(verb: str, **asked: str) -> dict[str, Any]:
    from provisioner.sandbox import client

    return tried(lambda: client.ask(verb, **asked))


@command.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 chooses a free one.")
@click.option("--exit-with", type=int, default=0, metavar="PID", help="End when that process ends.")
def start(port: int, exit_with: int) -> None:
    """Start the local cloud in the background."""
    from importlib.util import find_spec

    from provisioner.sandbox import client

    if find_spec("moto") is None:
        raise ConfigError("the sandbox is not installed.", hint="pip install 'accelctl[sandbox]'")
    state, new = tried(lambda: client.start(client.home(), port=port, exit_with=exit_with))
    output.note(f"{'started' if new else 'already running'}: {state['endpoint']} (process {state['pid']})")
    output.note('use it with --sandbox, or: eval "$(accelctl sandbox env)"')


@command.command()
def stop() -> None:
    """End it and every process it started."""
    from provisioner.sandbox import client

    output.note("stopped" if tried(lambda: client.stop(client.home())) else "it was not running")


@command.command()
def env() -> None:
    """Print settings as export lines, for eval."""
    from provisioner.sandbox import client

    for name, value in tried(client.settings).items():
        output.data(f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}")


@command.command()
@output_option
def status(form: str) -> None:
    """Machines, endpoints, requests."""
    found = ask("status")
    if form == OutputFormat.JSON:
        return output.document(found)
    rows = [
        (m["instance_id"], m["state"], m["instance_type"], m["zone"], m["capacity_type"], m["pid"] or "-",
         m["labels"].get("accelctl:job", "-"))
        for m in found["machines"]
    ]  # fmt: skip
    output.data(output.table(("MACHINE", "STATE", "TYPE", "ZONE", "CAPACITY", "PROCESS", "JOB"), rows))
    return output.note(f"{found['endpoints']['aws']}, {found['now']}, {sum(found['requests'].values())} requests")


@command.command()
@click.argument("machine", metavar="INSTANCE-ID|JOB")
@click.option("--notice", type=Duration(), default="120s", show_default=True, help="0s: gone without a word.")
def interrupt(machine: str, notice: timedelta) -> None:
    """The cloud's own notice, then the end of the machine."""
    done = ask("interrupt", instance=machine, notice=str(notice.total_seconds()))
    output.note(f"{done['instance_id']} is taken back at {done['time']}")


@command.command()
@click.argument("instance_type", metavar="TYPE")
@click.argument("zone")
@click.argument("count", metavar="none|N")
def capacity(instance_type: str, zone: str, count: str) -> None:
    """What can be had, from now on."""
    if count != "none" and not count.isdigit():
        raise ConfigError(
            f"'{count}' is not 'none' or a number.", hint="such as: capacity p4d.24xlarge us-east-1a none"
        )
    ask("capacity", type=instance_type, zone=zone, count="0" if count == "none" else count)
    output.note(f"{instance_type} in {zone}: {count}")


@command.command()
@click.argument("instance_type", metavar="TYPE")
@click.argument("zone")
@click.argument("usd", type=Usd())
def price(instance_type: str, zone: str, usd: Decimal) -> None:
    """Spot price from now on; history keeps the change."""
    ask("price", type=instance_type, zone=zone, usd=str(usd))
    output.note(f"{instance_type} in {zone}: {output.money(usd)} per hour")


@command.command()
@click.argument("region")
@click.argument("code")
@click.argument("limit", type=float)
def quota(region: str, code: str, limit: float) -> None:
    """A vCPU quota of the account, from now on."""
    ask("quota", region=region, code=code, limit=str(limit))
    output.note(f"{code} in {region}: {limit:g}")


@command.group()
def clock() -> None:
    """The sandbox's time."""


@clock.command()
@click.argument("duration", type=Duration())
def advance(duration: timedelta) -> None:
    """Move the sandbox's time; the machines' own processes stay real."""
    output.note(f"it is now {ask('clock', advance=str(duration.total_seconds()))['now']}")


@command.command()
@click.argument("job", default="")
@output_option
def ledger(job: str, form: str) -> None:
    """What the cloud would charge, line by line, for one job or for all."""
    found = ask("ledger", job=job)
    if form == OutputFormat.JSON:
        return output.document(found)
    rows = [(line["resource"], line["kind"], line["from"], line["to"], line["usd"]) for line in found["lines"]]
    output.data(output.table(("RESOURCE", "KIND", "FROM", "TO", "USD"), rows))
    return output.data(f"total {found['total']}")
