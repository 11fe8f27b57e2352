"""accelctl check."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provisioner.cli import output
from provisioner.cli.options import output_option
from provisioner.cli.output import OutputFormat

if TYPE_CHECKING:
    from provisioner.errors import AccelctlError
    from provisioner.rules.configuration import Configuration
    from provisioner.rules.documents import Resource
    from provisioner.rules.ruleset import Finding

MOST_NAMES = 10
JOB_FILE = ".toml"
MACHINE = re.compile(r"[a-z][a-z0-9-]*\.(nano|micro|small|medium|large|\d*xlarge|metal(-\w+)?)")
"""Every name of an EC2 instance type."""


@click.command(short_help="Judge job files, Pulumi previews, states or live machines by the rules.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--live", is_flag=True, help="Every machine of the account as it stands, whoever made it.")
@click.option("--region", "regions", multiple=True, help="With --live: only this region; may be repeated.")
@click.option("--environment", type=click.Choice(["development", "production"]), show_default="development",
              help="Which of the bundled configurations; else, for a job, its own settings say.")  # fmt: skip
@click.option("--config", "own", type=click.Path(path_type=Path), help="TOML that says otherwise, key by key.")
@click.option("--pack-config", "pack", type=click.Path(path_type=Path),
              help="A file for Pulumi's --policy-pack-config: names rules and keys that do not exist.")  # fmt: skip
@output_option
def command(
    files: tuple[Path, ...], live: bool, regions: tuple[str, ...], environment: str | None, own: Path | None,
    pack: Path | None, form: str,
) -> None:  # fmt: skip
    """Exit 3 where a machine would be always on, or breaks another rule; 0 where nothing is wrong.

    \b
    pulumi preview --json > plan.json; accelctl check plan.json job.toml
    accelctl check --live
    """
    from provisioner.cli.rules import allowed
    from provisioner.errors import ConfigError
    from provisioner.rules.readers import could_carry

    if pack:
        refuse_pack(pack)
    if not files and not live and not pack:
        raise ConfigError("nothing is named to be checked.", hint="name files, or say --live or --pack-config.")
    if regions and not live:
        raise ConfigError("--region goes with --live.", hint="a file says its own regions; leave it out.")
    rules = allowed(environment or "development", own)
    jobs = [file for file in files if file.suffix == JOB_FILE]
    found = resources([file for file in files if file.suffix != JOB_FILE])
    findings = [*judged(found, rules), *of_job_files(jobs, rules if environment or own else None)]
    unseen: Mapping[str, AccelctlError] = {}
    if live:
        there, unseen = of_account(regions, rules)
        findings += there
    show(findings, [one for one in found if could_carry(one.token, one.inputs)], unseen, form)
    conclude(findings, unseen)


def show(
    findings: "Sequence[Finding]", blind: "Sequence[Resource]", unseen: "Mapping[str, AccelctlError]", form: str
) -> None:
    from provisioner.cli.regions import say_unseen, unseen_document
    from provisioner.cli.rules import finding_document
    from provisioner.rules.ruleset import Level, counted

    if form == OutputFormat.JSON:
        output.document({
            "findings": [finding_document(one) for one in findings],
            "unknown": len(unknown(findings)),
            "not_checked": [{"subject": one.name, "type": one.token} for one in blind],
            "unseen": unseen_document(unseen),
        })  # fmt: skip
    else:
        for one in findings:
            output.data(f"{one.outcome if one.level is Level.MANDATORY else one.level} {one.rule}: {one}")
    if blind:
        names = ", ".join(f"{one.name} ({one.token})" for one in blind[:MOST_NAMES])
        many = counted(len(blind), "resource")
        output.warn(f"{many} could carry a machine and {'is' if len(blind) == 1 else 'are'} not checked: {names}.")
    say_unseen(unseen)


def conclude(findings: "Sequence[Finding]", unseen: "Mapping[str, AccelctlError]") -> None:
    """Raises PolicyViolation for a mandatory rule that is broken, and Unseen where nobody knows whether one is."""
    from provisioner.clouds.regions import Unseen
    from provisioner.errors import PolicyViolation
    from provisioner.rules.ruleset import Level, Outcome, counted

    broken = [one for one in findings if one.outcome is Outcome.VIOLATION and one.level is Level.MANDATORY]
    if broken:
        raise PolicyViolation(
            f"{counted(len(broken), 'violation')}.", hint="each says how to mend it; docs/rules.md has them all."
        )
    if unseen:
        raise Unseen(unseen)
    unsure = len(unknown(findings))
    output.note(f"no violation is known; {counted(unsure, 'finding')} cannot be told" if unsure else "no violation")


def unknown(findings: "Sequence[Finding]") -> "Sequence[Finding]":
    """Of mandatory rules, neither broken nor kept for certain."""
    from provisioner.rules.ruleset import Level, Outcome

    return [one for one in findings if one.outcome is Outcome.UNKNOWN and one.level is Level.MANDATORY]


def refuse_pack(file: Path) -> None:
    """Raises ConfigError naming what is wrong in the policy pack's configuration."""
    from provisioner.cli.rules import text_of
    from provisioner.rules import packs

    packs.read(text_of(file), str(file))


def resources(files: Sequence[Path]) -> "list[Resource]":
    from provisioner.cli.rules import text_of
    from provisioner.rules import documents

    return [resource for file in files for resource in documents.read(text_of(file), str(file))]


def of_job_files(files: Sequence[Path], allowed: "Configuration | None") -> "Iterator[Finding]":
    """What spot-train would be told of these jobs, before any call; None for what their own settings allow."""
    from provisioner.catalog import labels
    from provisioner.cli.rules import of_settings
    from provisioner.cli.wishes import wishes_of_file
    from provisioner.clock import SystemClock
    from provisioner.rules.requests import of_job
    from provisioner.rules.ruleset import judge

    now = SystemClock().now()
    for file in files:
        asked = wishes_of_file(file)
        refuse_misspelt(asked.spec.instance_types, file)
        rules = allowed or of_settings(asked.settings)
        marks = labels.ours(owner=asked.settings["owner"] or "the caller", **asked.spec.labels)
        for facts in of_job(asked.spec, marks, now):
            yield from judge(facts, rules, now)


def refuse_misspelt(instance_types: Sequence[str], file: Path) -> None:
    """Raises ConfigError for a type that cannot exist; what the catalog alone does not know may exist, and is said."""
    from provisioner.catalog import load, meant
    from provisioner.errors import ConfigError

    for one in instance_types:
        if load().find("aws", one):
            continue
        if not MACHINE.fullmatch(one):
            raise ConfigError(f"{file}: there is no instance type '{one}'.", hint=meant(one))
        output.warn(f"{file}: '{one}' is unknown to the catalog; spot-train asks the cloud. {meant(one).capitalize()}")


def of_account(regions: Sequence[str], allowed: "Configuration") -> "tuple[list[Finding], Mapping[str, AccelctlError]]":
    """Of every machine that is there, and why of the regions that nobody could look at."""
    from functools import partial

    from provisioner.cli.regions import looked_at
    from provisioner.clouds.regions import collected, each_region
    from provisioner.rules.live import findings
    from provisioner.workplace import Workplace

    place = Workplace()
    chosen, now = looked_at(place, regions, everybodys=True), place.clock.now()
    held, unseen = collected(each_region(partial(place.cloud.holdings, everybodys=True), chosen))
    return [finding for one in held for finding in findings(one, allowed, now)], unseen


def judged(found: "list[Resource]", allowed: "Configuration") -> "Iterator[Finding]":
    from provisioner.clock import SystemClock
    from provisioner.rules import ruleset, totals
    from provisioner.rules.readers import reader_of

    now = SystemClock().now()
    facts = [reader(one.name, one.inputs) for one in found if (reader := reader_of(one.token))]
    for one in facts:
        yield from ruleset.judge(one, allowed, now)
    yield from totals.judge(facts, allowed, now)
