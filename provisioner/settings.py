"""Settings: flag > ACCELCTL_* environment > accelctl.toml in the project > user configuration file > default.

The environment is read once, into a frozen record that names what it does not understand.
"""

import json
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from provisioner.catalog.policies import TOPIC
from provisioner.domain.jobs import Fallback, Pace
from provisioner.domain.offerings import WayKind
from provisioner.domain.quantities import duration, usd, written
from provisioner.errors import ConfigError

PROJECT_FILE = "accelctl.toml"
SHORTEST_PACE = timedelta(seconds=0.05)
LEAST_BEATS = 3
OTHER_VARIABLES = ("ACCELCTL_DEBUG", "ACCELCTL_SANDBOX_HOME", "ACCELCTL_IMAGE_PATH", "ACCELCTL_REAP")
"""Read elsewhere."""


def text(value: str) -> str:
    return value


def count(value: str) -> int:
    """Raises ValueError for what is not a whole number of 0 or more."""
    if not value.isdigit():
        raise ValueError(f"'{value}' is not a whole number of 0 or more")
    return int(value)


def gib(value: str) -> int:
    """Raises ValueError for what no machine's disk can have."""
    if not 8 <= count(value) <= 16384:
        raise ValueError(f"'{value}' is not between 8 and 16384")
    return int(value)


def topic(value: str) -> str:
    """Raises ValueError for what is no SNS topic."""
    if not TOPIC.fullmatch(value):
        raise ValueError(f"'{value}' is no ARN of an SNS topic, such as arn:aws:sns:us-east-1:123456789012:idle")
    return value


def pace(value: str) -> timedelta:
    """Raises ValueError for what would have a machine or a stepper do nothing else."""
    if (span := duration(value)) < SHORTEST_PACE:
        raise ValueError(f"'{value}' is shorter than {SHORTEST_PACE.total_seconds():g}s")
    return span


def names(value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip())


def tables(value: str) -> tuple[dict[str, Any], ...]:
    """Tables of a file, as JSON in a variable. Raises ValueError."""
    held: object = json.loads(value)
    rows = cast("list[object]", held) if isinstance(held, list) else []
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError("it is no list of tables")
    return tuple(cast("list[dict[str, Any]]", rows))


def one_of(kind: type[StrEnum]) -> Callable[[str], StrEnum]:
    def parse(value: str) -> StrEnum:
        if value not in set(kind):
            raise ValueError(f"'{value}' is not one of {', '.join(kind)}")
        return kind(value)

    return parse


class Environment(StrEnum):
    """The bundled sets of what is allowed."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Scope(StrEnum):
    """Whose machines the reaper looks at."""

    ACCELCTL = "accelctl"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting: `default` is written as a user would write it; empty means unset."""

    name: str
    parse: Callable[[str], Any]
    default: str
    help: str


PACE = {
    "poll_every": "between two looks at a running job",
    "heartbeat_every": "between two reports of a machine",
    "lost_after": "a machine that has not reported for this long is lost",
    "cut_off_for": "the same where its cloud says that it is healthy",
    "vouched_for": "how long checks that passed count while later ones are refused",
    "boot_timeout": "a machine that has not reported by then is given up",
    "stop_grace": "what a program gets between SIGTERM and the end of its machine",
    "last_upload": "how long a machine tries to send the last files",
    "lease": "how long a process has a job to itself",
    "settle": "after this the cloud lists what it was asked for",
    "answer_within": "a launch without an answer for this long is given up",
    "refusal": "how long a refused offering is left alone",
    "first_pause": "after every offering was refused; doubles each round",
    "longest_pause": "between two rounds of offerings, at most",
}


def pace_settings() -> list[Setting]:
    return [
        Setting(name=field.name, parse=pace, default=written(getattr(Pace(), field.name)), help=PACE[field.name])
        for field in fields(Pace)
    ]


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting(name="cloud", parse=text, default="aws", help="where to rent"),
        Setting(name="region", parse=text, default="", help="where setup works and the job store is made"),
        Setting(name="store", parse=text, default="", help="bucket of the job store, instead of accelctl-<account>"),
        Setting(name="owner", parse=text, default="", help="label on everything; the caller's name by default"),
        Setting(name="team", parse=text, default="unassigned", help="label on a job's machines"),
        Setting(name="cost_center", parse=text, default="unassigned", help="label on a job's machines"),
        Setting(name="environment", parse=one_of(Environment), default="development", help="whose rules hold"),
        Setting(name="rules", parse=text, default="", help="TOML that says otherwise than the environment's rules"),
        Setting(name="scope", parse=one_of(Scope), default="accelctl", help="whose machines reap looks at"),
        Setting(name="thresholds", parse=tables, default="", help="when reap calls whose machines idle: tables"),
        Setting(name="owner_topic", parse=topic, default="", help="ARN of an SNS topic that tells owners of marks"),
        Setting(name="way", parse=one_of(WayKind), default="", help=f"way to the store: {', '.join(WayKind)}"),
        Setting(name="regions", parse=names, default="", help="where to rent; by default in every prepared one"),
        Setting(name="look_in", parse=names, default="", help="regions to look at beside the prepared; all by default"),
        Setting(name="max_price", parse=usd, default="", help="most USD per hour for a machine"),
        Setting(name="max_duration", parse=duration, default="24h", help="machine time of a job"),
        Setting(name="budget", parse=usd, default="", help="most USD for a job"),
        Setting(name="fallback", parse=one_of(Fallback), default="none", help="none or on-demand"),
        Setting(name="max_restarts", parse=count, default="0", help="how often a failed program is started again"),
        Setting(name="max_wait", parse=duration, default="1h", help="how long to wait for capacity"),
        Setting(name="checkpoint_every", parse=duration, default="5m", help="between two uploads of checkpoints"),
        Setting(name="disk", parse=gib, default="", help="GiB of a machine's disk; 100, or 512 for Neuron by default"),
        *pace_settings(),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A setting's value and where it came from."""

    value: Any
    source: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, resolved."""

    values: Mapping[str, Value]

    def __getitem__(self, name: str) -> Any:
        return self.values[name].value

    @property
    def pace(self) -> Pace:
        """Raises ConfigError where a machine would be lost before its second word."""
        held = Pace(**{field.name: self[field.name] for field in fields(Pace)})
        if held.lost_after < LEAST_BEATS * held.heartbeat_every:
            raise ConfigError(
                f"lost_after ({written(held.lost_after)}) is less than {LEAST_BEATS} times heartbeat_every "
                f"({written(held.heartbeat_every)}): healthy machines would count as lost.",
                hint="raise the one or lower the other.",
            )
        return held


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    source: str = "flag",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Raises ConfigError naming the setting and where it was said: `source` for the flags, the file, the variable."""
    environment = os.environ if environment is None else environment
    refuse_unknown(environment)
    layers = [
        (source, {name: value for name, value in (flags or {}).items() if value not in (None, ())}),
        *from_environment(environment),
        layer(project_file(folder or here())),
        layer(user_file()),
        ("default", {setting.name: setting.default for setting in SETTINGS.values()}),
    ]
    return Settings({name: resolved(setting, layers) for name, setting in SETTINGS.items()})


def from_environment(environment: Mapping[str, str]) -> list[tuple[str, dict[str, Any]]]:
    """A layer for each variable, so that each is named as its value's source."""
    return [
        (f"${variable(name)}", {name: environment[variable(name)]})
        for name in SETTINGS
        if environment.get(variable(name))  # set to nothing is not set
    ]


def refuse_unknown(environment: Mapping[str, str]) -> None:
    """A misspelt limit would be no limit. Raises ConfigError naming the variable."""
    from difflib import get_close_matches

    known = [*map(variable, SETTINGS), *OTHER_VARIABLES]
    for name in environment:
        if name.startswith("ACCELCTL_") and name not in known and (near := get_close_matches(name, known, 1, 0.85)):
            raise ConfigError(f"${name} is no setting.", hint=f"is it {near[0]}? 'accelctl config show' lists them.")


def resolved(setting: Setting, layers: list[tuple[str, dict[str, Any]]]) -> Value:
    source, raw = next((source, held[setting.name]) for source, held in layers if setting.name in held)
    if not isinstance(raw, str | int | float):
        return Value(value=raw, source=source)  # a flag, parsed already
    if raw == "":
        return Value(value=() if setting.parse is names else "" if setting.parse is text else None, source=source)
    try:
        return Value(value=setting.parse(str(raw)), source=source)
    except ValueError as error:
        raise ConfigError(f"{setting.name} ({source}): {error}.", hint=f"{setting.name} is {setting.help}.") from error


def variable(name: str) -> str:
    return f"ACCELCTL_{name.upper()}"


def user_file() -> Path:
    import click

    return Path(click.get_app_dir("accelctl")) / "config.toml"


def here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise ConfigError("the current folder is gone.", hint="change into one that is there.") from None


def project_file(folder: Path) -> Path:
    """The nearest one, looking upwards."""
    for place in (folder, *folder.parents):
        if (place / PROJECT_FILE).is_file():
            return place / PROJECT_FILE
    return folder / PROJECT_FILE


def layer(file: Path) -> tuple[str, dict[str, Any]]:
    if not file.is_file():
        return str(file), {}
    try:
        held = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{file} cannot be read: {error}.", hint="it is a TOML file of settings.") from error
    if unknown := set(held) - set(SETTINGS):
        raise ConfigError(
            f"{file}: there is no setting '{min(unknown)}'.", hint="'accelctl config show' lists the settings."
        )
    return str(file), {name: as_text(value) for name, value in held.items() if value != ""}


def as_text(value: object) -> str:
    """As a variable would have it: names with commas, tables as JSON."""
    if not isinstance(value, list):
        return str(value)
    rows = cast("list[object]", value)
    return json.dumps(rows) if any(isinstance(row, dict) for row in rows) else ",".join(map(str, rows))
