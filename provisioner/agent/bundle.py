"""Packs the agent, and writes the script that a machine boots with. Runs here, never on the machine."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

HERE_ONLY = {"bundle.py", "boot.py", "standin.py"}
MAIN = "from agent.main import main\n\nmain()\n"
EPOCH = (1980, 1, 1, 0, 0, 0)
LIMIT = 16384
"""Bytes of user data that EC2 takes."""
SCRIPT = """#!/bin/sh
# accelctl: fetches the agent with the machine's role and becomes it. Carries no secret.
shutdown -h +{minutes} || {{  # logind may be masked, or not up yet
    echo "accelctl: 'shutdown -h +{minutes}' failed; another timer ends this machine then"
    systemd-run --on-active={minutes}m shutdown -h now ||
        (setsid sh -c 'sleep {minutes}m; shutdown -h now' </dev/null >/dev/null 2>&1 &)
}}
case "$0" in */instance/scripts/*)  # cloud-init runs this once, and what lies in per-boot at every later boot
    later="${{0%/instance/scripts/*}}/scripts/per-boot"
    mkdir -p "$later" && printf '#!/bin/sh\nshutdown -h now\n' >"$later/accelctl" && chmod 755 "$later/accelctl" ;;
esac
py=/usr/bin/python3
[ -x "$py" ] || py=python3
"$py" -I -S - <<'ACCELCTL'
{code}
boot({boarding})
ACCELCTL
shutdown -h now
"""


def build() -> bytes:
    """A zip application, the same bytes for the same source."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        write(archive, "__main__.py", MAIN)
        for name, module in [*modules("agent"), *library()]:
            write(archive, name, module.read_text(encoding="utf-8"))
    return packed.getvalue()


def modules(package: str) -> Iterator[tuple[str, Traversable]]:
    """The modules of a package of ours that go to the machine, by name."""
    for module in sorted(files(f"provisioner.{package}").iterdir(), key=lambda module: module.name):
        if module.name.endswith(".py") and module.name not in HERE_ONLY:
            yield f"{package}/{module.name}", module


def library() -> Iterator[tuple[str, Traversable]]:
    """`provisioner.checkpoint` and what it imports, for programs on machines where accelctl is not installed."""
    provisioner = "program/provisioner"
    yield f"{provisioner}/__init__.py", files("provisioner.agent") / "standin.py"
    for name, module in modules("checkpoint"):
        yield f"{provisioner}/{name}", module
    yield f"{provisioner}/errors.py", files("provisioner") / "errors.py"


def write(archive: zipfile.ZipFile, name: str, text: str) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, text)


def user_data(boarding: Mapping[str, object]) -> str:
    """The boot script, below EC2's limit. The machine's switch-off timer is armed before anything else.

    A reboot would leave neither timer nor agent, so cloud-init is left a script that ends the machine at every later
    boot. At this one it has passed that folder already: scripts-per-boot comes before scripts-user (cloud-init's
    default order of cloud_final_modules). A script that cloud-init did not start (`$0`) leaves nothing anywhere.
    """
    source = [alone(name) for name in ("aws.py", "boot.py")]
    written = repr(json.loads(json.dumps(boarding)))
    script = SCRIPT.format(minutes=boarding["max_minutes"], code="\n".join(source), boarding=written)
    assert len(script.encode()) <= LIMIT, "the boot script has outgrown user data"  # noqa: S101 - a test holds it
    return script


def alone(name: str) -> str:
    """A module's source without what it imports from its neighbours: they stand in the same script."""
    lines = (files("provisioner.agent") / name).read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("from ."))
