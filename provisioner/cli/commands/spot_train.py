"""accelctl spot-train: parse, plan, submit, carry to the end."""

from pathlib import Path
from typing import Any

import click

from provisioner.cli.options import Duration, Usd, cloud_option, output_option, yes_option


class BehindDashes(click.Command):
    """What follows the program's name is the program's: a flag of ours there would be passed on, and buy something."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        rest = super().parse_args(ctx, args)
        program = ctx.params.get("program") or ()
        if program and given[-len(program) - 1 : -len(program)] != ["--"]:
            raise click.UsageError(f"'{program[0]}' does not follow --; put the command there: -- {program[0]} …", ctx)
        return rest


@click.command(
    cls=BehindDashes,
    short_help="Run a program on spot machines until it is done.",
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
)
@click.option("--instance", "instances", multiple=True, metavar="TYPE", help="Any of these will do (may be repeated).")
@cloud_option
@click.option("--region", "regions", multiple=True, help="Only these regions (may be repeated).")
@click.option("--zone", "zones", multiple=True, help="Only these zones (may be repeated).")
@click.option("--name", help="A name for the job; an active job of that name is continued.")
@click.option("--workdir", type=click.Path(path_type=Path), help="Folder that is sent and run in.  [default: .]")
@click.option("--setup", help="Shell command that prepares each machine.")
@click.option("--env", "variables", multiple=True, metavar="K=V", help="Environment of the program.")
@click.option("--secret", "secrets", multiple=True, metavar="K=ssm:/path", help="Resolved on the machine alone.")
@click.option("--access", multiple=True, metavar="s3://bucket/prefix[:rw]", help="What else the machine may read.")
@click.option("--checkpoint-dir", metavar="DIR", help="Folder the program saves to.  [default: checkpoints]")
@click.option("--outputs-dir", metavar="DIR", help="Folder of results.  [default: outputs]")
@click.option("--checkpoint-every", type=Duration(), help="Between two uploads.  [default: 5m]")
@click.option("--max-price", type=Usd(), metavar="USD", help="Most per hour for a machine.")
@click.option("--max-duration", type=Duration(), help="Machine time of the job.  [default: 24h]")
@click.option("--budget", type=Usd(), metavar="USD", help="Most for the whole job.")
@click.option("--fallback", type=click.Choice(["none", "on-demand"]), help="Without spot capacity.  [default: none]")
@click.option("--max-restarts", type=click.IntRange(0), help="How often a failed program is started again.")
@click.option("--max-wait", type=Duration(), help="How long to wait for capacity.  [default: 1h]")
@click.option(
    "--disk", type=click.IntRange(8, 16384), metavar="GIB", help="The machine's disk.  [default: 100; Neuron 512]"
)
@click.option("--job-file", type=click.Path(path_type=Path), help="The same settings from a TOML file; flags win.")
@click.option("--dry-run", is_flag=True, help="Show what would be tried, at what price; change nothing.")
@click.option("--detach", is_flag=True, help="Return once the machine is bought; a stepper carries on.")
@yes_option
@output_option
@click.argument("program", nargs=-1, metavar="-- COMMAND...")
def command(**given: Any) -> int:
    """Run a program on spot machines until it is done; interruptions are survived, nothing is left running.

    \b
    accelctl spot-train --instance p4d.24xlarge -- python train.py
    """
    from provisioner.cli.training import train
    from provisioner.cli.wishes import wishes

    return train(wishes(given))
