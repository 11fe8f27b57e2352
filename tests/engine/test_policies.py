"""The policy pack under the real engine: what the table says is blocked is blocked, and its neighbours pass."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine.cases import PROGRAM, YAML
from tests.engine.project import KEY, PACK, ROOT, Project, project
from tests.rules.cases import CASES, inputs_of

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("sandbox")]
SHOWN = [case for case in CASES if case["engine"]]


@pytest.fixture
def cases(sandbox: dict[str, Any], tmp_path: Path) -> Project:
    """A stack with one resource for each case of the table."""
    (tmp_path / "Pulumi.yaml").write_text(YAML)
    (tmp_path / "__main__.py").write_text(PROGRAM)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    rows = [(case["name"], case["token"], inputs_of(case), case.get("options", {})) for case in SHOWN]
    (tmp_path / "cases.json").write_text(json.dumps(rows))
    subprocess.run(
        ["pulumi", "stack", "init", "cases", "--non-interactive"], cwd=tmp_path, check=True, capture_output=True
    )
    return Project(tmp_path, "cases")


def test_the_pack_says_what_the_table_says(cases: Project) -> None:
    """One preview lists every violation, by resource and rule, and no other."""
    done = cases.run("preview", *PACK, well=False)
    said = {
        (case["name"], rule)
        for case in SHOWN
        for rule in ALL_RULES
        for block in [block_of(done.stdout, rule)]
        if f"{case['name']}: " in block
    }

    assert done.returncode != 0
    assert said == {(case["name"], rule) for case in SHOWN for rule in case["rules"]}


ALL_RULES = sorted({rule for case in CASES for rule in case["rules"]})


def block_of(text: str, rule: str) -> str:
    """What the engine printed under one rule's heading."""
    blocks = [
        block for block in text.split("[mandatory]") if block.split()[:2][-1:] == [rule] or f" {rule} " in block[:80]
    ]
    return "".join(blocks)


def test_a_stack_of_ours_passes_its_own_rules_and_an_always_on_one_is_blocked(
    sandbox: dict[str, Any], tmp_path: Path
) -> None:
    """aws-p5 as it is: accepted. Rules of production: refused, because nobody said who pays."""
    stack = project(tmp_path, "aws-p5")
    stack.run("preview", *PACK)
    config = tmp_path / "production.json"
    config.write_text(json.dumps({"required-labels": {"enforcementLevel": "mandatory", "environment": "production"}}))

    done = stack.run("preview", *PACK, "--policy-pack-config", str(config), well=False)

    assert done.returncode != 0
    assert "required-labels" in done.stdout
    stack.configure(capacity="on-demand")
    accepted = stack.run("preview", *PACK)
    assert "reaper-present" in accepted.stdout, "an advice"


WRONG = [
    ({"required-lables": "mandatory"}, "there is no rule 'required-lables'. did you mean required-labels?"),
    ({"required-labels": {"enviroment": "production"}}, "'enviroment' is not known. did you mean environment?"),
]


def test_a_configuration_that_names_what_is_not_there_is_refused(sandbox: dict[str, Any], tmp_path: Path) -> None:
    """By name, and before the program is asked for anything."""
    (tmp_path / "Pulumi.yaml").write_text(YAML)
    (tmp_path / "__main__.py").write_text("")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    stack = Project(tmp_path, "misconfigured")
    stack.run("stack", "init")
    config = tmp_path / "wrong.json"

    for told, said in WRONG:
        config.write_text(json.dumps(told))
        done = stack.run("preview", *PACK, "--policy-pack-config", str(config), well=False)

        assert (done.returncode != 0, said in done.stdout + done.stderr) == (True, True), done.stdout + done.stderr


def test_a_stack_that_may_cost_more_than_its_budget_or_of_other_machines_is_blocked(
    sandbox: dict[str, Any], tmp_path: Path
) -> None:
    """aws-p5 with two machines for eight hours may cost $881: the template's price, times what is made from it.

    Where g5 alone is allowed it is blocked too; where p5 is, and the budget holds it, it passes.
    """
    stack = project(tmp_path, "aws-p5-budget")
    stack.configure(nodes="2")

    def preview(budget: int, machines: str, *, well: bool) -> str:
        config = tmp_path / "budget.json"
        told = {"budget": {"allowed": {"budget": budget}}, "allowed-machines": {"allowed": {"machines": [machines]}}}
        config.write_text(json.dumps(told))
        return stack.run("preview", *PACK, "--policy-pack-config", str(config), well=well).stdout

    refused = preview(500, "g5.*", well=False)
    assert "it may cost $881, more than its budget of $500" in refused
    assert "p5.48xlarge" in block_of(refused, "allowed-machines")
    preview(900, "p5.*", well=True)


def test_what_nobody_can_price_is_said_and_blocks_nothing(sandbox: dict[str, Any], tmp_path: Path) -> None:
    """A size where nobody says its price: under a budget that is an advice with the machine's name, never $0 unsaid."""
    stack = project(tmp_path, "azure-nd-priced")
    stack.configure(location="brazilsoutheast")
    stack.configure(sshKey=KEY)
    config = tmp_path / "budget.json"
    told = {"allowed": {"budget": 100}}
    config.write_text(json.dumps({"budget": told, "budget-not-known": told}))
    done = stack.run("preview", *PACK, "--policy-pack-config", str(config))

    assert "[advisory]  budget-not-known" in done.stdout
    assert "what nobody can price" in done.stdout


REMEDIED = """
import pulumi
import pulumi_aws as aws

group = aws.ec2.SecurityGroup("g")
aws.ec2.Instance(
    "dear", instance_type="p5.48xlarge", ami="ami-1", vpc_security_group_ids=[group.id], tags={"Name": "dear"},
    metadata_options={"http_tokens": "required"}, root_block_device={"encrypted": True},
    user_data=pulumi.Output.secret("x"),
)
"""


def test_at_level_remediate_labels_and_an_end_are_added(sandbox: dict[str, Any], tmp_path: Path) -> None:
    """Beside a secret and an input that is not known yet; what a person wrote stays."""
    (tmp_path / "Pulumi.yaml").write_text(YAML)
    (tmp_path / "__main__.py").write_text(REMEDIED)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    stack = Project(tmp_path, "remedied")
    stack.run("stack", "init")
    mends = ("--policy-pack-config", str(ROOT / "policies" / "remediate.json"))

    plan = json.loads(stack.run("preview", "--json", *PACK, *mends).stdout)

    (inputs,) = [one["newState"]["inputs"] for one in plan["steps"] if one["urn"].endswith("::dear")]
    labels = ("owner", "team", "cost-center", "expires-at", "managed", "stack")
    assert {*inputs["tags"]} == {"Name", *(f"accelctl:{name}" for name in labels)}
    assert inputs["tags"]["accelctl:team"] == "unassigned"
    assert inputs["userData"] == "[secret]"
