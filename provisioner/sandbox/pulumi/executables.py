"""The executables that the engine looks for on PATH, and the settings that keep it to this computer."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

PROVIDERS = ("aws", "gcp", "azure-native")


def settings(folder: Path) -> dict[str, str]:
    """What `sandbox env` adds where Pulumi's SDK is installed: a local backend, and a PATH with the stand-ins."""
    if find_spec("pulumi") is None:
        return {}
    plugins, state = folder / "pulumi" / "plugins", folder / "pulumi" / "state"
    state.mkdir(parents=True, exist_ok=True)
    for name in PROVIDERS:
        write(plugins / f"pulumi-resource-{name}", f"provisioner.sandbox.pulumi.{name.replace('-', '_')}")
    command = shutil.which("pulumi") or built()
    if command and not Path(command).with_name("pulumi-language-python").exists():
        write(plugins / "pulumi-language-python", "provisioner.sandbox.pulumi.language")
    folders = [str(plugins), *([str(Path(command).parent)] if command else []), os.environ.get("PATH", "")]
    return {
        "PATH": os.pathsep.join(dict.fromkeys(folders)), "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_CONFIG_PASSPHRASE": "sandbox", "PULUMI_HOME": str(folder / "pulumi" / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }  # fmt: skip


def built() -> str | None:
    """The newest CLI that tools/pulumi.sh has built and kept."""
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "accelctl"
    found = sorted(kept.glob("pulumi-v*/pulumi"), key=lambda file: file.stat().st_mtime)
    return str(found[-1]) if found else None


def write(file: Path, module: str) -> None:
    """A script with this very Python in it: the caller's PATH may know another one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    root = Path(__file__).parents[3]
    start = f"import runpy, sys; sys.path.insert(0, {str(root)!r}); runpy.run_module({module!r}, run_name='__main__')"
    file.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{start}" "$@"\n')
    file.chmod(0o755)
