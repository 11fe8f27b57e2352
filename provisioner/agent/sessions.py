"""Who is logged in: over ssh (EC2 Instance Connect too) as `who` tells, or through SSM's Session Manager."""

import glob
import subprocess

WORKER = "ssm-session-wor"
"""The process of each Session Manager session: the kernel keeps fifteen letters of ssm-session-worker."""
PATIENCE = 5


def count():
    """How many sessions are open; None where nobody can tell."""
    try:
        done = subprocess.run(["who"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return sum(bool(line.strip()) for line in done.stdout.splitlines()) + workers()


def workers():
    return sum(name_of(path) == WORKER for path in glob.glob("/proc/[0-9]*/comm"))


def name_of(path):
    try:
        with open(path, errors="replace") as file:  # cut anywhere, by the kernel
            return file.read().strip()
    except OSError:  # it has just ended
        return ""
