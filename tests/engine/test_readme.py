"""The README's section on Pulumi does what it says, line by line."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.engine.project import ROOT, project

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("sandbox")]
SECTION = re.compile(r"## Machines for a team, by Pulumi\n.*?```\n(.*?)```", re.DOTALL)
PREPARES = ("make ", "accelctl sandbox", "pulumi stack init", "aws ec2")
"""What a fresh machine needs, what this process has done already, and a client that may not be installed."""


def test_the_readme_leads_to_a_blocked_and_then_to_an_accepted_up(sandbox: dict[str, Any], tmp_path: Path) -> None:
    """The first up is refused by name, the second one makes a machine, destroy takes it away."""
    project(tmp_path, "aws-p5")
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    (tmp_path / "provisioner").symlink_to(ROOT / "provisioner")
    found = SECTION.search((ROOT / "README.md").read_text())
    assert found
    lines = [line for line in found[1].splitlines() if not line.startswith(PREPARES)]

    done = [
        subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, env=os.environ, check=False)
        for line in lines
    ]

    assert [one.returncode == 0 for one in done] == [False, True, True, True], [one.stdout[-800:] for one in done]
    assert "required-labels" in done[0].stdout
    assert "resource plugin" not in "".join(one.stderr for one in done), "no other plugin is asked for"


def test_a_stack_of_one_cloud_asks_for_that_clouds_plugin_alone(sandbox: dict[str, Any], tmp_path: Path) -> None:
    """Who uses AWS needs neither Google's nor Azure's."""
    done = project(tmp_path, "aws-p5-alone").run("preview")

    assert "pulumi-resource-aws " in done.stdout
    assert "pulumi-resource-gcp" not in done.stdout
    assert "pulumi-resource-azure" not in done.stdout
