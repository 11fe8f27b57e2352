"""The last lines of a job."""

from decimal import Decimal

from provisioner.cli.summary import summary
from provisioner.domain.jobs import Cost
from provisioner.jobs.costs import kept_per_month
from provisioner.jobs.progress import Progress
from provisioner.jobs.records import prefix
from tests.jobs.builders import JOB, START, TARIFF, World, a_record

FREE = Cost(machine=Decimal(0), disk=Decimal(0), network=Decimal(0), store=Decimal(0), on_demand=Decimal(0))


def test_what_stays_in_the_store_is_told_with_its_price_and_the_way_out() -> None:
    """Storage goes on costing after the end, until somebody removes it."""
    kept = 200 * 1024**3
    *_, running, stays = summary(a_record(ended_at=START), FREE, kept, kept_per_month(kept, TARIFF))
    assert running == "nothing is left running"
    assert stays == f"kept in the store: 200.0 GiB, $4.60 a month; 'accelctl teardown {JOB} --with-data' removes it"


def test_all_that_is_under_the_jobs_name_counts() -> None:
    """What its machines saved and said, and nothing of another job."""
    world = World()
    for key, content in (("blobs/a", b"12345"), ("checkpoints/00000001.json", b"{}")):
        world.objects.put(prefix(JOB) + key, content)
    world.objects.put(prefix("20260105-120000-other") + "blobs/b", b"1234567")
    assert Progress(world.objects).kept_bytes(JOB) == 7
