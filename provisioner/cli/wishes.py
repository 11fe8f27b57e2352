"""What a user of spot-train wants, from flags, job file and settings; refused here when it cannot be meant."""

import re
import shlex
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any, cast

from provisioner.cli.disks import disk_gib
from provisioner.cli.output import OutputFormat
from provisioner.domain.jobs import Fallback, Grant, JobSpec
from provisioner.errors import ConfigError
from provisioner.jobs.records import JOB_ID, fit_name
from provisioner.settings import SETTINGS, Settings, load

SECRETIVE = re.compile(
    r"SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|PWD$|(^|_)KEY$|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIAL|(^|_)AUTH$|JWT|_PAT$",
    re.IGNORECASE,
)
HARMLESS = re.compile(r"TOKENIZERS?|(?:MAX|MIN|NUM|N|TOTAL)_(?:\w*_)?TOKENS", re.IGNORECASE)
"""Tokens of text."""
BEHIND = "put it behind --, as in: -- python train.py"
FLAG = re.compile(r"--([a-z][a-z-]*[a-z])")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LEAST = timedelta(milliseconds=100)
SECRET = re.compile(
    r"ssm:/[\w./-]+|secretsmanager:(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:|(?!arn:))[\w/+=.@:-]+"
)
"""An ARN is a whole one: its region is read off it."""
GRANT = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[^:]*))?(?P<mode>:rw|:ro)?")
FLAGS = {
    "instance": "instances", "region": "regions", "zone": "zones", "env": "variables", "secret": "secrets",
    "command": "program",
}  # fmt: skip
"""A flag's name, and the one that its value has here."""
LISTS = {"instances", "regions", "zones", "variables", "secrets", "access", "program"}
FILE_KEYS = {
    "instances", "cloud", "regions", "zones", "name", "workdir", "setup", "variables", "secrets", "access",
    "checkpoint_dir", "outputs_dir", "checkpoint_every", "max_price", "max_duration", "budget", "fallback",
    "max_restarts", "max_wait", "disk", "program", "owner", "team", "cost_center", "environment", "rules",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """A job as it was asked for, and how to show it."""

    spec: JobSpec
    folder: Path
    named: bool
    """The name was chosen, so it means one job."""
    settings: Settings
    dry_run: bool
    detach: bool
    yes: bool
    form: OutputFormat


def wishes_of_file(file: Path) -> Wishes:
    """What a job file alone asks for. Raises ConfigError naming the file and its key."""
    given = {"job_file": file, "dry_run": True, "detach": False, "yes": True, "form": OutputFormat.TABLE}
    try:
        return wishes(given)
    except ConfigError as wrong:
        told = wrong.message.removeprefix("--job-file: ").removeprefix(f"{file} ")
        hint = wrong.hint.replace(BEHIND, 'write command = "python train.py" into it')
        raise ConfigError(f"{file}: {as_keys(told)}", hint=as_keys(hint)) from wrong


def as_keys(text: str) -> str:
    """Flags as a job file writes them."""
    return FLAG.sub(lambda found: found[1].replace("-", "_"), text)


def wishes(given: dict[str, Any]) -> Wishes:
    """Raises ConfigError naming the flag."""
    asked = merged(from_file(given["job_file"]), given)
    said = f"flag or {given['job_file']}" if given["job_file"] else "flag"
    settings = load({name: asked.get(name) for name in SETTINGS}, source=said)
    folder = Path(asked.get("workdir") or ".")
    return Wishes(
        spec=spec(asked, settings, folder), folder=folder, named=bool(asked.get("name")), settings=settings,
        dry_run=given["dry_run"], detach=given["detach"], yes=given["yes"], form=OutputFormat(given["form"]),
    )  # fmt: skip


def merged(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    """What was not said in `high` comes from `low`."""
    return low | {name: value for name, value in high.items() if value not in (None, ())}


def from_file(file: Path | None) -> dict[str, Any]:
    """A job file: the flags' names with underscores, `command` as a list or a line."""
    if file is None:
        return {}
    try:
        held = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"--job-file: {file} cannot be read: {error}.", hint="it is a TOML file.") from error
    plain = {name.replace("-", "_"): value for name, value in held.items()}
    named = {FLAGS.get(name, name): value for name, value in plain.items()}
    if unknown := set(named) - FILE_KEYS:
        raise ConfigError(
            f"--job-file: {file} has an unknown key '{min(unknown)}'.", hint=f"keys: {', '.join(as_flags(FILE_KEYS))}."
        )
    return {name: as_flag(name, value) for name, value in named.items()}


def as_flags(names: Iterable[str]) -> list[str]:
    flags = {inner: flag for flag, inner in FLAGS.items()}
    return sorted(flags.get(name, name) for name in names)


def as_flag(name: str, value: Any) -> Any:
    """What the flag would have given. Raises ConfigError for a value of another kind."""
    if name in ("variables", "secrets") and isinstance(value, dict):
        value = [f"{key}={text_of(name, text)}" for key, text in cast("dict[str, Any]", value).items()]
    if name == "program" and not isinstance(value, list):
        return words(value)
    if name not in LISTS:
        return text_of(name, value)
    return tuple(text_of(name, one) for one in (cast("list[Any]", value) if isinstance(value, list) else [value]))


def words(line: Any) -> tuple[str, ...]:
    if not isinstance(line, str):
        raise ConfigError(
            f"--job-file: command is {line!r}, neither a line nor a list.", hint='"python train.py", say.'
        )
    try:
        return tuple(shlex.split(line))
    except ValueError as error:
        raise ConfigError(f"--job-file: command cannot be split: {error}.", hint="write it as a list.") from error


def text_of(name: str, value: Any) -> str:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    many = " or a list of them" if name in LISTS else ""
    raise ConfigError(f"--job-file: {name} is {value!r}, not a text{many}.", hint=f'such as {name} = "…".')


def spec(asked: dict[str, Any], settings: Settings, folder: Path) -> JobSpec:
    refuse_missing(asked)
    refuse_too_short(settings)
    refuse_odd_name(asked.get("name") or "")
    saved, results = folders(asked)
    refuse_twice(pairs("--env", asked.get("variables", ())), pairs("--secret", asked.get("secrets", ())))
    return JobSpec(
        name=fit_name(asked.get("name") or folder.resolve().name), command=tuple(asked["program"]),
        cloud=settings["cloud"], instance_types=tuple(dict.fromkeys(asked["instances"])),
        regions=settings["regions"], zones=tuple(asked.get("zones", ())), setup=asked.get("setup") or "",
        environment=environment(asked.get("variables", ())), secrets=secrets(asked.get("secrets", ())),
        access=tuple(grant(text) for text in asked.get("access", ())),
        checkpoint_dir=saved, outputs_dir=results,
        checkpoint_every=settings["checkpoint_every"], max_price=settings["max_price"],
        max_duration=settings["max_duration"], budget=settings["budget"], fallback=Fallback(settings["fallback"]),
        max_restarts=settings["max_restarts"], max_wait=settings["max_wait"],
        disk_gib=disk_gib(settings["disk"], settings["cloud"], asked["instances"]),
        pace=settings.pace,
        labels={name: settings[name] for name in ("team", "cost_center", "environment")},
    )  # fmt: skip


def refuse_missing(asked: dict[str, Any]) -> None:
    if not asked.get("instances"):
        raise ConfigError("--instance is missing.", hint="name a type, such as --instance p4d.24xlarge.")
    if not asked.get("program") or not asked["program"][0].strip():
        raise ConfigError("the command is missing.", hint=f"{BEHIND}.")
    for name in ("name", "workdir", "checkpoint_dir", "outputs_dir"):
        if asked.get(name) == "":
            raise ConfigError(f"--{name.replace('_', '-')} is empty.", hint="leave it out, or say which.")


def refuse_too_short(settings: Settings) -> None:
    for name in ("max_duration", "checkpoint_every"):
        if settings[name] < LEAST:
            flag = f"--{name.replace('_', '-')}"
            raise ConfigError(f"{flag}: {settings[name].total_seconds():g} s is too short.", hint="say 1s at least.")


def refuse_odd_name(name: str) -> None:
    if re.fullmatch(JOB_ID, name):
        raise ConfigError(f"--name: '{name}' is a job's id.", hint="a name of its own tells it from that job.")
    if name and fit_name(name) != name:
        raise ConfigError(
            f"--name: '{name}' has more than letters, digits, dot, dash and underscore, or is too long.",
            hint=f"such as {fit_name(name)}.",
        )


def folders(asked: dict[str, Any]) -> tuple[str, str]:
    """Where checkpoints and outputs lie. Raises ConfigError where one is in the other."""
    saved = relative("--checkpoint-dir", asked.get("checkpoint_dir") or "checkpoints")
    results = relative("--outputs-dir", asked.get("outputs_dir") or "outputs")
    if PurePosixPath(saved).is_relative_to(results) or PurePosixPath(results).is_relative_to(saved):
        raise ConfigError(
            f"--checkpoint-dir and --outputs-dir: {saved} and {results} overlap.", hint="name two folders."
        )
    return saved, results


def pairs(flag: str, given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not VARIABLE.fullmatch(name):
            raise ConfigError(f"{flag}: '{text}' is not NAME=VALUE.", hint=f"write it as {flag} NAME=VALUE.")
        found[name] = value
    return found


def environment(given: tuple[str, ...]) -> dict[str, str]:
    """Raises ConfigError for a name that looks like a secret: what is in the environment is in the record."""
    found = pairs("--env", given)
    for name in found:
        if name.startswith("ACCELCTL_"):
            raise ConfigError(
                f"--env: {name} is not yours to set.", hint="names that begin with ACCELCTL_ are accelctl's."
            )
        if SECRETIVE.search(HARMLESS.sub("", name)):
            raise ConfigError(
                f"--env: {name} looks like a secret, and --env is stored in the job's record.",
                hint=f"keep it in a secret store and use --secret {name}=ssm:/path.",
            )
    return found


def secrets(given: tuple[str, ...]) -> dict[str, str]:
    found = pairs("--secret", given)
    for name, reference in found.items():
        if not SECRET.fullmatch(reference):
            raise ConfigError(
                f"--secret: {name} does not say where the value is kept.",
                hint=f"use {name}=ssm:/path or {name}=secretsmanager:arn.",
            )
    return found


def refuse_twice(variables: dict[str, str], secrets: dict[str, str]) -> None:
    if both := sorted(set(variables) & set(secrets)):
        raise ConfigError(f"--env and --secret: both give {both[0]}.", hint="leave one of them out.")


def grant(text: str) -> Grant:
    found = GRANT.fullmatch(text)
    if found is None:
        raise ConfigError(f"--access: '{text}' is not s3://bucket/prefix[:rw].", hint="such as s3://data/imagenet:rw.")
    return Grant(bucket=found["bucket"], prefix=found["prefix"] or "", write=found["mode"] == ":rw")


def relative(flag: str, path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or pure == PurePosixPath():
        raise ConfigError(f"{flag}: '{path}' is not a folder inside of the work folder.", hint="such as checkpoints.")
    return str(pure)
