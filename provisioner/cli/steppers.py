"""Who steps jobs when no terminal does, and what to say when nobody does."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from provisioner.cli import output
from provisioner.errors import ConfigError
from provisioner.jobs.lookouts import SEEN_WITHIN, newest
from provisioner.settings import SETTINGS
from provisioner.workplace import Workplace

UNIT = "accelctl-step"
SERVICE = """[Unit]
Description=accelctl: the next step of every job

[Service]
Type=oneshot
WorkingDirectory={folder}
{environment}ExecStart=/usr/bin/env {command}
"""
TIMER = """[Unit]
Description=accelctl: steps jobs every minute

[Timer]
OnBootSec=1min
OnUnitActiveSec=1min

[Install]
WantedBy=timers.target
"""


def say_who_steps(place: Workplace) -> None:
    """One sentence when nobody has looked after jobs in the last ten minutes."""
    seen = newest(place.objects)
    if seen is None or place.clock.now() - seen > SEEN_WITHIN:
        output.warn(
            "no stepper was seen in the last ten minutes: an interrupted job waits until somebody runs "
            "'accelctl step --watch', or install one with 'accelctl setup --stepper'."
        )


def install() -> None:
    """A systemd user timer where there is one, else the line for cron. Raises ConfigError where systemd refuses."""
    found = shutil.which("accelctl")
    command = [*([found] if found else [sys.executable, "-m", "provisioner"]), "step"]
    if not has_user_systemd():
        output.note("no systemd for this user: add this line with 'crontab -e'")
        settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in told().items())
        line = f"cd {shlex.quote(str(Path.cwd()))} && {settings} {shlex.join(command)}".replace("&&  ", "&& ")
        output.data(f"* * * * * {line} >/dev/null 2>&1".replace("%", r"\%"))  # cron takes a bare one for a new line
        say_which_keys()
        return
    folder = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "systemd" / "user"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{UNIT}.service").write_text(service(command))
    (folder / f"{UNIT}.timer").write_text(TIMER)
    for arguments in (["daemon-reload"], ["enable", "--now", f"{UNIT}.timer"]):
        code, said = systemctl(*arguments)
        if code:
            raise ConfigError(f"systemctl --user {arguments[0]} failed: {said}.", hint="see 'systemctl --user status'.")
    output.note(f"installed: '{UNIT}.timer' steps jobs every minute, with the settings of {Path.cwd()}")
    say_which_keys()
    output.note("it stops when you log out, unless 'loginctl enable-linger' was said once")


def say_which_keys() -> None:
    """Keys that only this shell knows are in no file, so a timer has none."""
    if "AWS_ACCESS_KEY_ID" in os.environ and "AWS_PROFILE" not in os.environ:
        output.warn(
            "the credentials of this shell are in its environment, and are never written down: the stepper needs "
            "a profile of its own (set AWS_PROFILE and run this again), or an 'accelctl step --watch' in this shell."
        )


def service(command: list[str]) -> str:
    """The unit; systemd expands `%` everywhere and `$` in commands (systemd.unit(5), systemd.service(5)).

    env starts the program, since systemd itself runs none whose path has quotes or backslashes.
    """
    lines = "".join(f"Environment={quoted(f'{name}={value}')}\n" for name, value in told().items())
    return SERVICE.format(
        command=" ".join(quoted(word).replace("$", "$$") for word in command),
        folder=str(Path.cwd()).replace("%", "%%"),
        environment=lines,
    )


def quoted(word: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("\n", "\\n")):
        word = word.replace(plain, escaped)
    return f'"{word}"'


def told() -> dict[str, str]:
    """What this shell was told of account, region and settings; keys of the account are never written down."""
    named = ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if name in named or (name.startswith("ACCELCTL_") and name.removeprefix("ACCELCTL_").lower() in SETTINGS)
    }


def has_user_systemd() -> bool:
    return shutil.which("systemctl") is not None and systemctl("is-system-running")[1] in ("running", "degraded")


def systemctl(*arguments: str) -> tuple[int, str]:
    """Its exit code and what it said; one that hangs counts as failed."""
    asked = ["systemctl", "--user", *arguments]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return 1, "it did not answer"
    return done.returncode, (done.stdout or done.stderr).strip()
