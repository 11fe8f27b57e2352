"""Labels under the real engine: another owner, team or cost center is a change in place of everything that has them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.project import NO_CHANGE, PACK, Project, ready

pytestmark = [pytest.mark.e2e, pytest.mark.full, pytest.mark.usefixtures("sandbox")]
NODES = {"aws-p5": {"nodes": "2"}}
"""So that there is a placement group."""
Labels = dict[str, str]
STACKS = ("aws-p5", "aws-g5", "gcp-tpu-v5e", "azure-nd", "reaper-aws", "base-aws", "base-gcp", "base-azure")


def labels_of(stack: Project) -> list[set[str]]:
    """The values of the labels of everything in the state that has any; a group's are a list of blocks."""
    state = json.loads(stack.run("stack", "export").stdout)
    inputs: list[dict[str, Any]] = [one.get("inputs", {}) for one in state["deployment"]["resources"]]
    labels: list[Labels | list[Labels]] = [found for one in inputs if (found := one.get("tags") or one.get("labels"))]
    return [{one["value"] for one in held} if isinstance(held, list) else set(held.values()) for held in labels]


@pytest.mark.parametrize("name", STACKS)
def test_other_labels_change_everything_in_place(sandbox: dict[str, Any], tmp_path: Path, name: str) -> None:
    """The same things under the same ids, each of them labelled anew, in the cloud too."""
    stack = ready(tmp_path, name)
    stack.configure(**NODES.get(name, {}))
    stack.up(*PACK)
    before = stack.resources()
    stack.configure(owner="ada", team="vision", costCenter="cc-7")
    stack.up(*PACK)

    assert stack.resources() == before
    assert [held for held in labels_of(stack) if not {"ada", "vision", "cc-7"} <= held] == []
    stack.run("refresh", "--yes", "--skip-preview", NO_CHANGE)
    stack.run("destroy", "--yes", "--skip-preview")
