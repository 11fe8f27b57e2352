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
{environment}ExecStart={program} step
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
    program = shutil.which("accelctl") or f"{sys.executable} -m provisioner"
    if not has_user_systemd():
        output.note("no systemd for this user: add this line with 'crontab -e'")
        settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in told().items())
        line = f"cd {shlex.quote(str(Path.cwd()))} && {settings} {program} step".replace("&&  ", "&& ")
        output.data(f"* * * * * {line} >/dev/null 2>&1")
        return
    folder = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "systemd" / "user"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{UNIT}.service").write_text(service(program))
    (folder / f"{UNIT}.timer").write_text(TIMER)
    for arguments in (["daemon-reload"], ["enable", "--now", f"{UNIT}.timer"]):
        code, said = systemctl(*arguments)
        if code:
            raise ConfigError(f"systemctl --user {arguments[0]} failed: {said}.", hint="see 'systemctl --user status'.")
    output.note(f"installed: '{UNIT}.timer' steps jobs every minute, with the settings of {Path.cwd()}")
    output.note("it stops when you log out, unless 'loginctl enable-linger' was said once")


def service(program: str) -> str:
    lines = "".join(f'Environment="{name}={value}"\n' for name, value in told().items())
    return SERVICE.format(program=program, folder=Path.cwd(), environment=lines)


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
