"""A chosen name has one active job, however many ask for it at once."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provisioner.domain.jobs import JobRecord
from provisioner.jobs import names
from provisioner.jobs.objects import Objects, open_objects
from provisioner.jobs.records import JobMissing, Records, key
from provisioner.jobs.submit import Submission, submit
from tests.jobs.builders import a_spec

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
MANY = 8


@pytest.fixture
def objects() -> Objects:
    return open_objects("memory://")


def asked(objects: Objects, folder: Path, *, unique: bool = True, command: str = "true") -> JobRecord:
    spec = a_spec(name="mine", command=(command,))
    submission = Submission(
        spec=spec, unique=unique, folder=folder, owner="somebody", store="memory://", store_region="us-east-1"
    )
    return submit(objects, submission, now=NOW, agent=lambda: b"agent", say=lambda _: None)


def test_many_at_once_get_one_job(objects: Objects, tmp_path: Path) -> None:
    """Whoever loses the race is given the winner's job."""
    got: list[JobRecord] = []
    start = threading.Barrier(MANY)

    def ask(number: int) -> None:
        start.wait()
        got.append(asked(objects, tmp_path, command=f"command-{number}"))

    threads = [threading.Thread(target=ask, args=[number]) for number in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == MANY
    assert len({record.spec.command for record in got}) == 1
    assert [record.id for record in Records(objects).all()] == [got[0].id]


def test_one_that_died_before_its_record_is_continued(objects: Objects, tmp_path: Path) -> None:
    """The name was taken, the record was not written: the next one writes it under the same id."""
    names.claim(objects, "mine", "20260105-115959-died")

    assert asked(objects, tmp_path).id == "20260105-115959-died"


def test_a_name_is_free_again_when_its_job_is_over_or_forgotten(objects: Objects, tmp_path: Path) -> None:
    """Over: the next one takes it. Forgotten: nothing of the old job comes back."""
    first, records = asked(objects, tmp_path), Records(objects)
    records.write(records.read(first.id), replace(first, ended_at=NOW))
    second = asked(objects, tmp_path)
    names.forget(objects, "mine", first.id)
    assert asked(objects, tmp_path).id == second.id != first.id

    names.forget(objects, "mine", second.id)
    objects.delete(key(second.id))
    assert asked(objects, tmp_path).id not in (first.id, second.id)
    with pytest.raises(JobMissing):
        records.read(second.id)


def test_names_that_nobody_chose_are_shared(objects: Objects, tmp_path: Path) -> None:
    """Two jobs from one folder are two jobs."""
    assert asked(objects, tmp_path, unique=False).id != asked(objects, tmp_path, unique=False).id
