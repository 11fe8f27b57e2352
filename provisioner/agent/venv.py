"""The Python that --setup and the program use: a virtual environment of the image's own, made once per machine.

Base images have no `python`, and their pip installs nothing beside the system's packages (PEP 668).
"""

import os
import shutil
import subprocess
import sys

PATIENCE = 120
PIP = '#!/bin/sh\nexec "%s" -m pip "$@"\n'
"""Finds the pip of the image, which in a virtual environment may install."""


class Unmade(Exception):
    """There is no virtual environment; the message says why."""


def with_python(found, home, say):
    """The environment variables with `python` and `pip` first on PATH, unless `python` lies in an environment there."""
    path = found.get("PATH", os.defpath)
    if in_environment(shutil.which("python", path=path)):
        return found
    folder = os.path.join(home, "venv")
    try:
        make(folder, shutil.which("python3", path=path) or sys.executable)
    except (Unmade, OSError, subprocess.SubprocessError) as problem:
        say("no virtual environment could be made, `python` and `pip` are the image's: %s" % problem)
        return found
    return dict(found, PATH=os.path.join(folder, "bin") + os.pathsep + path, VIRTUAL_ENV=folder)


def in_environment(python):
    """Whether it is one of venv's, virtualenv's or conda's, as images with frameworks have them."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(python or "")))
    return python is not None and (
        os.path.isfile(os.path.join(root, "pyvenv.cfg")) or os.path.isdir(os.path.join(root, "conda-meta"))
    )


def make(folder, python):
    """With the image's pip, else with what Python itself brings, for which Debian wants a package. Raises Unmade."""
    command = [python, "-I", "-m", "venv", "--clear", "--system-site-packages"]
    if fails([python, "-I", "-c", "import pip"]) and not fails([*command, folder]):
        return
    if problem := fails([*command, "--without-pip", folder]):
        raise Unmade(problem)
    for name in ("pip", "pip3"):
        with open(os.path.join(folder, "bin", name), "w") as out:
            out.write(PIP % os.path.join(folder, "bin", "python"))
        os.chmod(out.name, 0o755)  # noqa: S103 - a command


def fails(command):
    """The last line of a command that does not succeed, else nothing."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines() or ["exit code %d" % done.returncode]
    return lines[-1] if done.returncode else ""
