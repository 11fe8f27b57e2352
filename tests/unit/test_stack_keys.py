"""Values that a cloud, or our function, would refuse later are refused by their key, with what is allowed."""

import pulumi
import pytest

from provisioner.catalog import azure
from stacks.components import aws_group, aws_reaper, azure_machine, gcp_tpu
from stacks.components.aws_machine import KEYS as AWS
from stacks.components.aws_machine import zone_among
from stacks.settings import LABELS, Key, parsed
from tests.engine.project import KEY

GCP = gcp_tpu.keys_for(gcp_tpu.families()["v5e"], "v5litepod-8")
G5 = aws_group.keys_for(("g5.xlarge",), ("g5.xlarge",))
RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ" + 83 * "AAAA" + "AA== somebody"


def named(keys: tuple[Key, ...], name: str) -> Key:
    return next(key for key in keys if key.name == name)


@pytest.mark.parametrize(
    ("keys", "name", "wrong", "allowed"),
    [
        (AWS, "aws:region", "us-east-99", "us-east-1, us-east-2"),
        (GCP, "gcp:project", "Nope", "my-project-123456"),
        (azure_machine.KEYS, "location", "mars", "eastus, eastus2"),
        (azure_machine.KEYS, "sshKey", "", "ssh-ed25519 or ssh-rsa"),
        (azure_machine.KEYS, "sshKey", "ssh-rsa nope", "ssh-ed25519 or ssh-rsa"),
        (azure_machine.KEYS, "sshKey", KEY[:60], "a whole public key"),
        (azure_machine.KEYS, "sshKey", KEY.replace("ssh-ed25519", "ssh-rsa"), "ssh-ed25519 or ssh-rsa"),
        (azure_machine.KEYS, "sshKey", "-----BEGIN OPENSSH PRIVATE KEY-----", "ssh-ed25519 or ssh-rsa"),
        (azure_machine.KEYS, "endAfter", "30m", "from 60m to 1d"),
        (G5, "hours", "08:00-08:00", "same minute"),
        (G5, "hours", "8:00-08:00", "same minute"),
        (aws_reaper.KEYS, "logDays", "31", "14, 30, 60"),
        (aws_reaper.KEYS, "bucket", "No Such", "accelctl-123456789012"),
        (aws_reaper.KEYS, "regions", "us-west-2, us-esat-1", "'us-esat-1' is none of those allowed"),
        (aws_reaper.KEYS, "thresholds", "nonsense", "a list of tables"),
        (aws_reaper.KEYS, "thresholds", '[{"grace": "1h"}]', "a table without labels"),
        (aws_reaper.KEYS, "thresholds", '[{"labels": {"accelctl:team": "v"}, "colour": 1}]', "'colour' is not known"),
        (LABELS, "owner", "a:b<>", "letters, digits, spaces"),
        (LABELS, "team", "", "1 to 63"),
        (LABELS, "costCenter", "line\nbreak", "letters, digits, spaces"),
    ],
)
def test_a_wrong_value_names_its_key_and_what_is_allowed(
    keys: tuple[Key, ...], name: str, wrong: str, allowed: str
) -> None:
    """Before the cloud is asked anything."""
    with pytest.raises(pulumi.RunError) as refused:
        parsed(named(keys, name), wrong)

    assert f"{name} is '{wrong}': " in str(refused.value)
    assert allowed in str(refused.value)


@pytest.mark.parametrize(
    ("keys", "name", "right"),
    [
        (AWS, "aws:region", "us-east-1"),
        (AWS, "aws:region", None),
        (GCP, "gcp:project", "accelctl-sandbox"),
        (GCP, "gcp:project", "example.com:my-project"),
        (azure_machine.KEYS, "location", "westeurope"),
        (azure_machine.KEYS, "sshKey", KEY),
        (azure_machine.KEYS, "sshKey", RSA),
        (G5, "hours", "22:00-06:00"),
        (aws_reaper.KEYS, "logDays", "365"),
        (aws_reaper.KEYS, "regions", "us-west-2, us-east-1"),
        (aws_reaper.KEYS, "thresholds", '[{"labels": {"accelctl:team": "vision"}, "grace": "1h"}]'),
        (LABELS, "owner", "Ann Smith"),
        (LABELS, "owner", "ann@example.com"),
        (LABELS, "owner", None),
    ],
)
def test_its_neighbour_is_taken(keys: tuple[Key, ...], name: str, right: str | None) -> None:
    """As it was given, or by default."""
    parsed(named(keys, name), right)


def test_a_zone_is_one_that_sells_the_machine() -> None:
    """Another region's, or none at all, is refused with those that do; the first is the default."""
    selling = ["us-east-1a", "us-east-1b"]

    assert (zone_among(selling, ""), zone_among(selling, "us-east-1b")) == ("us-east-1a", "us-east-1b")
    for wrong in ("us-east-1z", "eu-west-1a"):
        with pytest.raises(pulumi.RunError, match=f"accelctl:zone is '{wrong}': .* us-east-1a, us-east-1b"):
            zone_among(selling, wrong)


def test_azure_has_every_region_that_it_sells_machines_in() -> None:
    """The list of regions is no shorter than the list of prices."""
    assert {region for held in azure.prices().values() for region in held} <= set(azure.regions())
