"""The command table, and the one place where an error becomes an exit code."""

import importlib
import io
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from provisioner.cli import output
from provisioner.errors import AccelctlError, ConfigError

GROUPS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Train": {
        "spot-train": ("spot_train", "Run a program on spot machines until it is done."),
        "status": ("status", "Jobs and attempts: where each runs, progress, cost so far."),
        "logs": ("logs", "The program's output, over all attempts, in order."),
        "fetch": ("fetch", "Bring outputs and the newest checkpoint here, verified."),
        "cancel": ("cancel", "Stop a job and keep its checkpoint."),
        "resume": ("resume", "Continue a job that has ended from its checkpoint."),
        "step": ("step", "Take the next step for one or all jobs, as a scheduler does."),
    },
    "Guard": {
        "check": ("check", "Judge job files, Pulumi previews, states or live machines by the rules."),
        "reap": ("reap", "Look for idle, orphaned and overdue machines; with --apply, send them home."),
        "teardown": ("teardown", "Remove what belongs to a job, or everything, and prove it."),
    },
    "Sandbox": {
        "sandbox": ("sandbox", "A local cloud: try everything without an account or a bill."),
    },
    "Set up": {
        "setup": ("setup", "Make, once per region, what jobs need."),
        "doctor": ("doctor", "What is installed, reachable and missing, and how to get it."),
        "config": ("config", "Settings, and where each came from."),
        "adopt": ("adopt", "Give a Pulumi stack what a killed 'pulumi up' was making."),
    },
}
COMMANDS = {name: entry for group in GROUPS.values() for name, entry in group.items()}


class Commands(click.Group):
    """Loads a command's module when the command is run, so that `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        output.show_warnings()
        module = importlib.import_module(f"provisioner.cli.commands.{COMMANDS[cmd_name][0]}")
        return module.command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in commands.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Click would call it a failure that nobody reads on, as with `| head -1`."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            output.give_up()
            return 0

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            meant = f"did you mean '{near[0]}'?" if near else "'accelctl --help' lists the commands."
            raise click.UsageError(f"no such command '{args[0]}'; {meant}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog="Exit codes: docs/cli.md")
@click.option("--sandbox", is_flag=True, help="Use the local sandbox cloud for this command.")
@click.version_option(package_name="accelctl", prog_name="accelctl")
def accelctl(sandbox: bool) -> None:
    """Rents cloud accelerators without waste.

    \b
    accelctl spot-train --instance p4d.24xlarge -- python train.py
    """
    if sandbox:
        use_sandbox()


def use_sandbox() -> None:
    """Leads every SDK of this process to the sandbox. Raises ConfigError where none runs."""
    from provisioner.sandbox.client import SandboxError, settings

    try:
        found = settings()
    except SandboxError as failure:
        raise ConfigError(f"--sandbox: {failure}.", hint="'accelctl sandbox start' starts it.") from None
    for name, value in found.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def run(arguments: list[str]) -> int:
    """Runs one command line; the exit code of the contract, whatever happens."""
    try:
        code: Any = accelctl.main(arguments, prog_name="accelctl", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except AccelctlError as failure:
        output.error(failure.message, failure.hint)
        return failure.exit_code
    except click.exceptions.NoArgsIsHelpError as asked:
        output.note(asked.format_message())
        return 2
    except click.ClickException as mistake:
        output.error(*told(mistake))
        return 2
    except (click.Abort, KeyboardInterrupt):
        output.error("interrupted.", "run the same command again; 'accelctl status' shows the jobs that are there.")
        return 130
    except Exception as defect:  # noqa: BLE001 - the last door: a defect of ours gets a report line, not a traceback
        return report(defect)


def told(mistake: click.ClickException) -> tuple[str, str]:
    """One sentence that names the flag, and where to read on."""
    path = mistake.ctx.command_path if isinstance(mistake, click.UsageError) and mistake.ctx else "accelctl"
    said = mistake.format_message()
    if isinstance(mistake, click.BadParameter) and mistake.param and mistake.message:
        said = f"{mistake.param.opts[-1]}: {mistake.message}"
    return said if said.endswith((".", "?")) else f"{said}.", f"'{path} --help' shows what is allowed."


def report(defect: Exception) -> int:
    import traceback

    if os.environ.get("ACCELCTL_DEBUG"):
        output.note("".join(traceback.format_exception(defect)))
    place = traceback.extract_tb(defect.__traceback__)[-1]
    output.error(
        f"this is a defect of accelctl: {type(defect).__name__}: {defect} (at {place.name}, line {place.lineno}).",
        "set ACCELCTL_DEBUG=1, run it again and report what it prints; nothing that was launched is forgotten.",
    )
    return 1


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may be no text at all
    sys.exit(run(sys.argv[1:]))
