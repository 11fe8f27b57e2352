# pyright: basic
# The agent is untyped on purpose.
"""Large files on their way to the store and back."""

import hashlib
from pathlib import Path

import pytest

from provisioner.agent.aws import Unreachable
from provisioner.agent.pieces import BLOCK, Changed, Outgoing
from provisioner.agent.store import Store
from tests.agent.machine import Machine

MIB = 1 << 20
LARGE = "import random; open('checkpoints/large', 'wb').write(random.randbytes(65 << 20))"


def test_a_large_file_comes_back_over_a_connection_that_breaks(machine: Machine):
    """Parts go side by side, and a part that breaks off goes on where it was: nothing is fetched twice."""
    machine.server.part_delay = 0.5
    machine.python(LARGE)
    machine.start().gone()
    assert machine.server.parts_at_once >= 4
    second = machine.successor()
    second.task["command"] = ["true"]
    second.server.cut_at = 6 * MIB
    report = second.start().gone()
    assert report["restored"]["files"] == 1
    assert 65 * MIB < report["received_bytes"] < 67 * MIB
    assert (second.work / "checkpoints/large").read_bytes() == (machine.work / "checkpoints/large").read_bytes()


def test_a_listing_that_cannot_be_read_is_no_listing():
    """It counts as a store that does not answer, which is asked again, and never as an empty one."""

    class Torn(Store):
        def _send(self, *_: object, **__: object):
            return {}, b"<ListBucketResult><Contents><Key>checkpo"

    with pytest.raises(Unreachable):
        Torn(None, "bucket", "us-east-1").list("checkpoints/")


@pytest.mark.parametrize("size", [1, BLOCK, 2 * BLOCK + 1])
def test_what_has_changed_since_it_was_hashed_is_never_sent_whole(tmp_path: Path, size: int):
    """The last block stays here, so that the store has an unfinished request and no object."""
    meant = b"a" * size
    for there, arrives in ((meant, True), (b"b" + meant[1:], False), (meant[:-1], False)):
        (tmp_path / "file").write_bytes(there)
        sent = b""
        with (tmp_path / "file").open("rb") as file:
            body = Outgoing(file.fileno(), 0, size, hashlib.sha256(meant).hexdigest())
            try:
                for block in iter(lambda: body.read(BLOCK), b""):  # noqa: B023 - it is read at once
                    sent += block
            except Changed:
                assert not arrives
        assert (len(sent) == size) == arrives
