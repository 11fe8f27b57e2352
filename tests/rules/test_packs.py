"""What a policy pack is told: whatever is not known is refused by name, before anything is judged."""

import json
from pathlib import Path
from typing import Any

import pytest

from provisioner.errors import ConfigError
from provisioner.rules import packs
from tests.cli.test_command_line import accelctl

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"required-lables": {}}, ("required-lables", "required-labels")),
        ({"required-labels": {"enviroment": "production"}}, ("required-labels", "'enviroment'", "environment")),
        ({"required-labels": {"allowed": {"regoins": []}}}, ("'regoins'", "regions")),
        ({"required-labels": {"allowed": {"expensive_from": "x"}}}, ("expensive_from", "'x' is no amount")),
        ({"budget": {"allowed": {"budget": -1}}}, ("budget", "'-1' is no amount")),
        ({"machines-counted": {"allowed": {"most_machines": 1.5}}}, ("most_machines", "'1.5' is no whole number")),
        ({"allowed-machines": {"allowed": {"regions": "us-east-1"}}}, ("regions", "no list of texts")),
        ({"required-labels": {"allowed": {"unassigned_allowed": "no"}}}, ("unassigned_allowed", "neither true nor")),
        ({"end-within-limit": {"allowed": {"longest_end": 7}}}, ("longest_end", "not a duration")),
        ({"budget": {"allowed": ["x"]}}, ("budget", "'allowed' is no table")),
        ({"budget": {"environment": "staging"}}, ("no environment 'staging'", "development, production")),
        ({"budget": {"environment": "../rules/production"}}, ("no environment '../rules/production'",)),
        ({"budget": {"environment": 5}}, ("'environment' is no text",)),
        ({"budget": {"owner": ["ann"]}}, ("'owner' is no text",)),
        ({"machines-counted": {"allowed": {"most_machines": float("inf")}}}, ("'inf' is no whole number",)),
        ({"machines-counted": {"allowed": {"most_machines": float("nan")}}}, ("'nan' is no whole number",)),
        ({"all": {"environment": "production"}}, ("'all' takes a level alone", "'environment'")),
        ({"not-checked": {"environment": "production"}}, ("not-checked", "'environment'")),
    ],
)
def test_what_is_wrong_is_refused_by_name(given: dict[str, Any], said: tuple[str, ...]) -> None:
    """The rule, the key and the value, with the nearest name where there is one."""
    with pytest.raises(ConfigError) as refused:
        packs.refuse(given)

    assert all(one in f"{refused.value.message} {refused.value.hint}" for one in said), refused.value.message


@pytest.mark.parametrize("file", ["production.json", "remediate.json"])
def test_the_configurations_that_come_with_the_pack_are_accepted(file: str) -> None:
    """Without the levels, which the engine takes out."""
    tables: dict[str, dict[str, Any]] = json.loads((POLICIES / file).read_text())
    given = {name: {key: one for key, one in held.items() if key != "enforcementLevel"}
             for name, held in tables.items()}  # fmt: skip

    packs.refuse(given | {"all": {}, "not-checked": {}, "budget-not-known": {"allowed": {"budget": 100.0}}})


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ('{"required-lables": {"environment": "production"}}', 2, "did you mean required-labels?"),
        ('{"required-labels": {"enforcementLevel": "mandatory", "enviroment": "production"}}', 2, "environment"),
        ("[]", 2, "no table of rules"),
        ('{"budget": {"enforcementLevel": "none"}}', 2, "budget: 'none' is no enforcementLevel"),
        ('{"budget": "mandatroy"}', 2, "did you mean mandatory?"),
        ('{"budget": {"enforcementLevel": null}}', 2, "known: advisory, mandatory, remediate, disabled"),
        ('{"budget": 5}', 2, "budget: 5 is neither a level nor a table"),
        ('{"budget": {"enforcementLevel": "disabled"}, "all": "advisory"}', 0, "no violation"),
        ('{"machines-counted": {"allowed": {"most_machines": Infinity}}}', 2, "'inf' is no whole number"),
        ('{"a":', 2, "line 1"),
        ('{"required-labels": "mandatory", "budget": {"allowed": {"budget": 10}}}', 0, "no violation"),
    ],
)
def test_check_names_what_is_wrong_in_a_packs_configuration(tmp_path: Path, text: str, code: int, said: str) -> None:
    """Of a misspelt rule without a level, Pulumi itself says only that the level is invalid."""
    (tmp_path / "mine.json").write_text(text)

    done = accelctl("check", "--pack-config", "mine.json", cwd=tmp_path)

    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
