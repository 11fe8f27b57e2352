"""The work folder on its way to the machine."""

import io
import tarfile
from pathlib import Path, PurePosixPath

import pytest
from obstore.store import MemoryStore

from provisioner.errors import ConfigError
from provisioner.jobs.objects import Objects
from provisioner.jobs.submit import Submission, submit
from provisioner.jobs.workdir import Entry, fitting, listed, named, pack, send
from tests.jobs.builders import JOB, START, a_spec


@pytest.fixture
def objects() -> Objects:
    return Objects(MemoryStore(), name="memory")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text("print()")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "link").symlink_to("train.py")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "big.bin").write_bytes(b"x" * 3000)
    (tmp_path / ".gitignore").write_text("*.log\n/data/*.bin\n!keep.log\n")
    (tmp_path / "a.log").write_text("")
    (tmp_path / "keep.log").write_text("")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "data" / "made").mkdir(parents=True, exist_ok=True)
    return tmp_path


def names(folder: Path) -> set[str]:
    return {
        str(entry.path)
        for entry in listed(folder, frozenset({PurePosixPath("checkpoints"), PurePosixPath("data/made")}))
    }


def test_gitignore_is_honoured_and_what_the_job_makes_stays_here(folder: Path) -> None:
    """Ignored files, .git and the checkpoint folder are not sent; a negated pattern is."""
    assert names(folder) == {".gitignore", "train.py", "run.sh", "link", "data", "keep.log"}


def test_what_fetch_brought_into_the_work_folder_is_not_sent(folder: Path) -> None:
    """The next job would get the last one's checkpoints with its code."""
    (folder / JOB / "checkpoints").mkdir(parents=True)

    assert JOB not in names(folder)


def test_a_nested_gitignore_overrides_the_one_above(folder: Path) -> None:
    """The deepest file that has a word on a path decides, as in git."""
    (folder / "data" / ".gitignore").write_text("!big.bin\n")

    assert "data/big.bin" in names(folder)


@pytest.fixture
def repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose top ignores secrets, with a work folder `sub` in it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / ".git" / "home"))
    (folder / "sub").mkdir()
    for name in ("secret.env", "mine.txt", "notes.tmp", "a.py"):
        (folder / "sub" / name).touch()
    (folder / ".gitignore").write_text("secret.env\n")
    return folder


def test_what_is_ignored_above_a_work_folder_is_not_sent(repository: Path) -> None:
    """As git has it: the .gitignore files of the whole repository, its own excludes, and the user's."""
    for file, word in ((".git/info/exclude", "/sub/mine.txt"), (".git/home/git/ignore", "*.tmp")):
        (repository / file).parent.mkdir(parents=True)
        (repository / file).write_text(f"{word}\n")

    assert names(repository / "sub") == {"a.py"}


def test_a_work_tree_has_the_excludes_of_its_repository(repository: Path) -> None:
    """There `.git` is a file that leads to them."""
    own = repository / ".git" / "worktrees" / "sub"
    own.mkdir(parents=True)
    (own / "commondir").write_text("../..\n")
    (repository / ".git" / "info").mkdir()
    (repository / ".git" / "info" / "exclude").write_text("mine.txt\n")
    (repository / "sub" / ".git").write_text(f"gitdir: {own}\n")

    assert names(repository / "sub") == {"secret.env", "notes.tmp", "a.py"}


def test_a_work_folder_that_git_ignores_is_sent_without_what_is_ignored_by_name(repository: Path) -> None:
    """Who names such a folder means it."""
    (repository / ".gitignore").write_text("/sub/\nsecret.env\n")

    assert names(repository / "sub") == {"mine.txt", "notes.tmp", "a.py"}


def test_of_a_folder_that_is_ignored_but_for_some_files_those_are_sent(repository: Path) -> None:
    """All that is not Python is ignored, wherever it lies."""
    (repository / ".gitignore").write_text("*\n!*/\n!*.py\n")

    assert {"train.py", "sub", "sub/a.py"} <= names(repository)
    assert not {"sub/secret.env", "run.sh"} & names(repository)


def test_links_and_modes_survive(objects: Objects, folder: Path) -> None:
    """The archive holds a link as a link, and an executable as executable."""
    archive = send(objects, folder)
    with tarfile.open(fileobj=io.BytesIO(objects.get(archive.key))) as tar:
        link, script = tar.getmember("link"), tar.getmember("run.sh")

    assert (link.issym(), link.linkname) == (True, "train.py")
    assert script.mode == 0o755


def test_the_same_folder_is_sent_once(objects: Objects, folder: Path) -> None:
    """Named by its content: a copy with other times is the same; a changed byte is another."""
    first = send(objects, folder)
    (folder / "train.py").touch()
    again = send(objects, folder)
    (folder / "train.py").write_text("print(1)")
    other = send(objects, folder)

    assert first == again
    assert other.key != first.key
    assert len(list(objects.listing("workdirs"))) == 2


def test_a_folder_that_is_too_large_names_its_largest_paths(objects: Objects, folder: Path) -> None:
    """The refusal says what to leave out."""
    (folder / "data" / ".gitignore").write_text("!big.bin\n")
    with pytest.raises(ConfigError) as refusal:
        send(objects, folder, largest=1000)

    assert "data/big.bin" in refusal.value.message
    assert list(objects.listing("workdirs")) == []


def test_a_folder_of_which_nothing_would_be_sent_is_refused(folder: Path) -> None:
    """As below a home that is a repository of dotfiles: a machine would be bought for an empty folder."""
    (folder / ".git").mkdir(exist_ok=True)
    (folder / ".gitignore").write_text("*")
    with pytest.raises(ConfigError, match="nothing of"):
        fitting(folder, frozenset())


def test_a_folder_that_is_not_there_is_refused(objects: Objects, tmp_path: Path) -> None:
    """Exit 2, the flag named."""
    with pytest.raises(ConfigError, match="--workdir"):
        send(objects, tmp_path / "nowhere")


def test_a_file_that_went_away_while_it_was_packed_is_named(folder: Path) -> None:
    """Exit 2, with what to do: something writes there."""
    gone = Entry(path=PurePosixPath("data/shard-1"), mode=0o644, size=9)

    with pytest.raises(ConfigError, match="data/shard-1") as refused, named(folder):
        pack(folder, (gone,), io.BytesIO())
    assert "run it again" in refused.value.hint


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full is Linux's /dev/full")
def test_a_full_disk_is_no_defect_of_ours(folder: Path) -> None:
    """Exit 2, and where to make room."""
    with (
        pytest.raises(ConfigError, match="No space left") as refused,
        named(folder),
        Path("/dev/full").open("wb") as out,
    ):
        pack(folder, tuple(listed(folder)), out)
    assert "TMPDIR" in refused.value.hint


class TornDown(Objects):
    """A store in which the last other job of the same folder is removed while ours is written down."""

    def create(self, key: str, content: bytes) -> str:
        for stored in self.listing("workdirs"):
            self.delete(stored.key)
        return super().create(key, content)


def test_a_work_folder_that_went_with_another_job_is_sent_again(folder: Path) -> None:
    """From its record on, nobody takes it from a job."""
    objects = TornDown(MemoryStore(), name="memory")
    wanted = Submission(spec=a_spec(), folder=folder, owner="me", store="memory://", store_region="us-east-1")
    record = submit(objects, wanted, now=START, agent=lambda: b"", say=lambda _: None)

    assert record.spec.workdir is not None
    assert objects.exists(record.spec.workdir.key)
