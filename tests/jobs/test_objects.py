"""Records and objects, over memory and over a folder by the same code."""

import http.server
import os
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from provisioner.errors import ConfigError
from provisioner.jobs.objects import (
    ONE_AT_A_TIME,
    PIECE,
    SLOW,
    ObjectChanged,
    ObjectMissing,
    Objects,
    open_objects,
)
from provisioner.jobs.records import OPEN, VERSION, JobMissing, LostRace, Records, encode, key
from tests.jobs.builders import JOB, START, a_record, a_spec


@pytest.fixture(params=["memory", "folder"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    return open_objects("memory://" if request.param == "memory" else f"file://{tmp_path}/store")


def test_a_key_is_created_once(objects: Objects) -> None:
    """The second creation loses."""
    objects.create("a/b", b"1")

    with pytest.raises(ObjectChanged):
        objects.create("a/b", b"2")
    assert objects.get("a/b") == b"1"


def test_a_stale_tag_replaces_nothing(objects: Objects) -> None:
    """Compare-and-swap: who saw an older version loses."""
    first = objects.create("a", b"1")
    objects.replace("a", b"2", first)

    with pytest.raises(ObjectChanged):
        objects.replace("a", b"3", first)
    assert objects.get("a") == b"2"


def test_what_is_missing_is_said_so_and_deleting_it_is_success(objects: Objects) -> None:
    """Missing is an error to read and none to delete."""
    with pytest.raises(ObjectMissing):
        objects.get("nothing")
    objects.delete("nothing")

    assert not objects.exists("nothing")


def test_a_listing_is_complete_and_in_order(objects: Objects) -> None:
    """Every key below a prefix, sorted."""
    for number in range(1, 120):
        objects.put(f"jobs/x/{number:03}", b"1")
    objects.put("jobs/y/1", b"1")

    assert [stored.key for stored in objects.listing("jobs/x")] == [f"jobs/x/{n:03}" for n in range(1, 120)]
    assert [name.rsplit("/", 1)[-1] for name in objects.folders("jobs")] == ["x", "y"]


def test_records_are_written_and_raced_for(objects: Objects) -> None:
    """A record reads back as it was written; a stale holder loses its race."""
    records = Records(objects)
    held = records.create(a_record(spec=a_spec(environment={"LR": "0.1"})))
    records.write(held, replace(held.record, owner="other"))

    assert records.read(JOB).record.spec == held.record.spec
    assert records.read(JOB).record.owner == "other"
    with pytest.raises(LostRace):
        records.write(held, held.record)


def test_a_record_of_a_newer_version_is_refused_by_name(objects: Objects) -> None:
    """Never misread: the version is named and nothing is changed."""
    newer = msgspec.json.decode(encode(a_record())) | {"version": VERSION + 1, "invented": True}
    objects.put(key(JOB), msgspec.json.encode(newer))

    with pytest.raises(ConfigError, match=f"record version {VERSION + 1}"):
        Records(objects).read(JOB)


def test_one_damaged_record_hides_no_other_job(objects: Objects, caplog: pytest.LogCaptureFixture) -> None:
    """It is warned of, by its job's id; listing and finding by name go on."""
    records = Records(objects)
    records.create(a_record())
    objects.put(key("20260106-120000-zzzzz"), b'{"version": 1, "id"')

    assert [record.id for record in records.all()] == [JOB]
    assert records.find("demo").id == JOB
    assert "20260106-120000-zzzzz" in caplog.text


@pytest.mark.parametrize("typed", ["demo!", "demo*", "demo ", "Demo"])
def test_no_job_is_found_by_something_like_its_name(objects: Objects, typed: str) -> None:
    """A slip of the finger cancels nothing."""
    records = Records(objects)
    records.create(a_record())

    for find in (records.find, records.find_one):
        with pytest.raises(JobMissing):
            find(typed)


def test_of_several_active_jobs_of_a_name_none_is_chosen_for_what_cannot_be_undone(objects: Objects) -> None:
    """Their ids are listed; one that is over is no choice."""
    records, other = Records(objects), "20260106-120000-zzzzz"
    records.create(a_record())
    records.create(a_record(id=other, created_at=START.replace(day=6), ended_at=START.replace(day=7)))
    assert records.find_one("demo").id == JOB

    records.create(a_record(id="20260108-120000-yyyyy", created_at=START.replace(day=8)))
    with pytest.raises(ConfigError, match="2 active jobs") as refused:
        records.find_one("demo")
    assert JOB in refused.value.hint
    assert other not in refused.value.hint


def test_a_job_is_found_by_id_and_by_name(objects: Objects) -> None:
    """The newest of a name."""
    records = Records(objects)
    records.create(a_record())
    records.create(a_record(id="20260106-120000-zzzzz", created_at=START.replace(day=6)))

    assert records.find(JOB).id == JOB
    assert records.find("demo").id == "20260106-120000-zzzzz"
    with pytest.raises(JobMissing):
        records.find("nobody")


def test_of_many_jobs_the_newest_and_the_active_are_shown(objects: Objects) -> None:
    """An old job that still runs is never among those left out; how many were is said."""
    records = Records(objects)
    for day in range(1, 7):
        ended = None if day == 2 else START.replace(day=day + 1)
        identity = f"2026010{day}-120000-zzzzz"
        records.write(records.create(a_record(id=identity)), a_record(id=identity, ended_at=ended))

    shown, older = records.recent(2)
    assert [record.id[:8] for record in shown] == ["20260102", "20260105", "20260106"]
    assert older == 3


def test_only_open_jobs_are_read_by_whoever_looks_after_them(
    objects: Objects, caplog: pytest.LogCaptureFixture
) -> None:
    """A job that is over costs nothing any more, whatever has become of its record."""
    records = Records(objects)
    records.create(a_record(id="open-one"))
    over = records.create(a_record(id="over"))
    records.write(over, replace(over.record, ended_at=START))
    objects.put(key("over"), b"nobody reads this")

    assert [record.id for record in records.open()] == ["open-one"]
    assert not caplog.records


def test_a_mark_whose_removal_was_cut_off_goes_at_the_next_look(objects: Objects) -> None:
    """The record says that the job is over; the mark only says where to look."""
    records = Records(objects)
    over = records.create(a_record(id="over"))
    records.write(over, replace(over.record, ended_at=START))
    objects.put(f"{OPEN}/over", b"")
    objects.put(f"{OPEN}/never-written", b"")

    assert list(records.open()) == []
    assert list(records.open_ids()) == ["never-written"]


class Breaking(http.server.BaseHTTPRequestHandler):
    """An S3 of one object, whose answers to GET are cut off half-way now and then."""

    content = os.urandom(20 * 1024**2)
    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.answer(200, len(self.content))

    def do_GET(self) -> None:
        start, end = (int(part) for part in self.headers["Range"].removeprefix("bytes=").split("-"))
        piece = self.content[start : end + 1]
        self.answer(206, len(piece), f"bytes {start}-{end}/{len(self.content)}")
        cut = len(self.asked) % 3 == 0
        self.asked.append(self.headers["Range"])
        self.wfile.write(piece[: len(piece) // 2] if cut else piece)
        self.close_connection = True

    def answer(self, status: int, size: int, span: str = "") -> None:
        self.send_response(status)
        given = {"Content-Length": str(size), "ETag": '"x"', "Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT"}
        for name, value in (given | ({"Content-Range": span} if span else {})).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def serving(handler: type[Breaking], monkeypatch: pytest.MonkeyPatch, slow: float = SLOW) -> Generator[Objects]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    settings = {
        "ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "ACCESS_KEY_ID": "a",
        "SECRET_ACCESS_KEY": "b",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    yield open_objects("s3://bucket", region="us-east-1", slow=slow)
    server.shutdown()


def test_a_large_object_comes_in_pieces_and_a_broken_one_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """No piece is so large that a slow line could never bring it."""

    with serving(Breaking, monkeypatch) as store:
        chunks = list(store.chunks("key"))

    assert b"".join(chunks) == Breaking.content
    assert max(map(len, chunks)) <= PIECE
    assert len(Breaking.asked) > len(chunks)


class Counting(Breaking):
    """Answers slowly, and knows how many were asking at once."""

    content = b"small"
    under_way = most = 0
    guard = threading.Lock()

    def do_HEAD(self) -> None:
        raise AssertionError("nobody asks for that")

    def do_GET(self) -> None:
        with self.guard:
            Counting.under_way += 1
            Counting.most = max(Counting.most, Counting.under_way)
        threading.Event().wait(0.02)
        with self.guard:
            Counting.under_way -= 1
        self.answer(200, len(self.content))
        self.wfile.write(self.content)


def test_threads_take_turns_at_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its library ends the process now and then when several of them call it at once."""
    with serving(Counting, monkeypatch) as store, ThreadPoolExecutor(6) as pool:
        got = list(pool.map(store.get, ["key"] * 6))

    assert (got, Counting.most) == ([b"small"] * 6, 1)


def test_a_store_that_keeps_one_waiting_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(Counting, monkeypatch, slow=0.001) as store:
        store.get("key")

    assert "s3://bucket has not answered for 0.001 s" in caplog.text


def test_a_call_that_waits_for_its_turn_says_nothing_of_the_store(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another thread of ours has the store: it is not the store that is slow."""
    with serving(Counting, monkeypatch, slow=1) as store, ThreadPoolExecutor(1) as pool:
        with ONE_AT_A_TIME:
            waiting = pool.submit(store.get, "key")
            assert not wait([waiting], timeout=1.1).done
        assert waiting.result() == b"small"

    assert "has not answered" not in caplog.text
