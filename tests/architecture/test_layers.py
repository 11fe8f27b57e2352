"""The arrows of ARCHITECTURE.md, read off the imports."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "provisioner"
MODULES = sorted(PACKAGE.rglob("*.py"))
BESIDE = [
    file for name in ("tests", "stacks", "policies", "benchmarks") for file in sorted((ROOT / name).rglob("*.py"))
]
SDKS = {"aws": {"boto3", "botocore"}, "gcp": {"google"}, "azure": {"azure"}}

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "clock": set(),
    "domain": {"domain", "errors"},
    "catalog": {"domain", "errors", "catalog"},
    "rules": {"domain", "rules", "catalog", "errors"},
    "clouds": {"errors", "clock", "domain", "catalog", "clouds"},
    "jobs": {"errors", "clock", "domain", "catalog", "clouds", "jobs", "agent"},
    "teardown": {"errors", "clock", "domain", "catalog", "clouds", "jobs", "teardown"},
    "adoption": {"errors", "domain", "catalog", "clouds", "adoption"},
    "reaper": {"errors", "clock", "domain", "catalog", "clouds", "jobs", "reaper"},
    "settings": {"errors", "domain", "catalog", "settings"},
    "workplace": {"errors", "clock", "domain", "catalog", "clouds", "jobs", "reaper", "settings", "agent"},
    "functions": {"errors", "clock", "domain", "catalog", "clouds", "jobs", "reaper", "settings", "workplace"},
    "agent": {"agent"},
    "checkpoint": {"checkpoint", "errors"},
    "sandbox": {"sandbox"},
    "cli": {
        "errors",
        "clock",
        "domain",
        "catalog",
        "clouds",
        "jobs",
        "teardown",
        "adoption",
        "rules",
        "reaper",
        "settings",
        "agent",
        "sandbox",
        "workplace",
        "cli",
    },
}
"""Room -> the rooms it may import from."""


def room(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(module: Path) -> Iterator[str]:
    """Absolute names, those of relative imports resolved."""
    package = ".".join(module.relative_to(ROOT).with_suffix("").parts[:-1])
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            yield ".".join(part for part in (parent, node.module or "") if part)


def named(module: Path) -> str:
    return str(module.relative_to(ROOT))


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_a_room_imports_only_from_the_rooms_below(module: Path) -> None:
    """The table above is the whole of what may be imported where."""
    rooms = {name.split(".")[1] for name in imports(module) if name.startswith("provisioner.")}

    assert room(module) in ("__init__", "__main__") or rooms <= MAY_IMPORT[room(module)]


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_a_clouds_sdk_stays_in_its_package(module: Path) -> None:
    """boto3 is imported in clouds/aws alone (the sandbox speaks its wire), and no cloud imports another."""
    parts: list[str] = list(module.relative_to(PACKAGE).parts)
    here = parts[1] if parts[0] == "clouds" and len(parts) > 2 else ""
    tops = {name.split(".")[0] for name in imports(module)}
    foreign = {sdk for cloud, sdks in SDKS.items() if cloud != here for sdk in sdks}
    others = {f"provisioner.clouds.{cloud}" for cloud in SDKS if cloud != here}

    assert parts[0] == "sandbox" or not tops & foreign
    assert (
        parts[0] != "clouds"
        or parts[1] == "registry.py"
        or not any(name.startswith(tuple(others)) for name in imports(module))
    )


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_nothing_here_imports_pulumi(module: Path) -> None:
    """Pulumi belongs to stacks/ and policies/, and to the sandbox's stand-ins, which speak its protocol."""
    assert "sandbox/pulumi" in str(module) or not any(
        name.split(".")[0].startswith("pulumi") for name in imports(module)
    )


CLOCKS = {"time.time", "time.sleep", "time.monotonic", "datetime.now", "datetime.utcnow", "date.today"}
OWN_TIME = {"clock", "agent", "sandbox"}
"""The agent and the sandbox run in processes of their own, with clocks of their own."""


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) not in OWN_TIME], ids=named)
def test_only_the_clock_reads_the_clock(module: Path) -> None:
    """No logic reads wall time or sleeps."""
    called = {ast.unparse(node.func) for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)}

    assert not called & CLOCKS


@pytest.mark.parametrize(
    "module", [module for module in MODULES if room(module) not in {"agent", "sandbox"}], ids=named
)
def test_only_the_output_prints(module: Path) -> None:
    """Printing is done at one place."""
    called = {ast.unparse(node.func) for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)}

    assert named(module) == "provisioner/cli/output.py" or not called & {"print", "click.echo"}


@pytest.mark.parametrize("module", [*MODULES, *BESIDE], ids=named)
def test_files_and_functions_stay_small(module: Path) -> None:
    """Files stay within 400 lines, functions within 60."""
    source = module.read_text()
    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]

    assert len(source.splitlines()) <= 400
    assert all((f.end_lineno or 0) - f.lineno + 1 <= 60 for f in functions)


@pytest.mark.parametrize("module", sorted((ROOT / "stacks").rglob("*.py")), ids=named)
def test_stacks_know_the_facts_and_no_cloud_of_ours(module: Path) -> None:
    """Catalog, domain and the packing of functions are shared; Pulumi's own provider acts."""
    rooms = {name.split(".")[1] for name in imports(module) if name.startswith("provisioner.")}
    assert rooms <= {"catalog", "domain", "functions"}
