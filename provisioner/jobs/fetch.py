"""Brings what a job saved: every file checked against its manifest, the previous checkpoint where one is damaged."""

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from provisioner.errors import AccelctlError, CloudError, ConfigError
from provisioner.jobs.objects import ObjectMissing, Objects
from provisioner.jobs.placing import Placed, holds, inside, is_there, place
from provisioner.jobs.progress import Manifest, Progress, SavedFile
from provisioner.jobs.records import prefix

MOST_LOOKS = 20
"""Newer checkpoints take the place of one that is being brought; at some point the line is too slow for the job."""


def unshown(_: int, __: int) -> None:
    """Where nobody follows the bytes as they come."""


class FileDamaged(Exception):
    """A file is missing from the store, or is not what its manifest says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What was brought."""

    folder: Path
    sequence: int
    files: int
    bytes: int
    damaged: tuple[int, ...]
    """Sequences of newer checkpoints that were damaged."""


def fetch(
    objects: Objects,
    job: str,
    folder: Path,
    *,
    below: str = "",
    warn: Callable[[str], None],
    brought: Callable[[int, int], None] = unshown,
) -> Fetched:
    """The newest whole checkpoint of the job into `folder`; with `below`, only the paths under that one.

    `brought` hears of the bytes as they come, and of how many there are. Raises ConfigError where nothing was saved or
    no path matches, CloudError where every checkpoint is damaged.
    """
    damaged: list[int] = []

    def passed_over(sequence: int, problem: str) -> None:
        if sequence in damaged:
            return
        damaged.append(sequence)
        warn(f"checkpoint {sequence} is damaged ({problem}); trying the one before.")

    for _ in range(MOST_LOOKS):
        manifest = newest(Progress(objects).manifests(job, damaged=passed_over), damaged)
        if manifest is None:
            raise nothing_whole(job, damaged)
        try:
            files = bring(objects, job, chosen(manifest, below), folder=folder, brought=brought, warn=warn)
        except FileDamaged as problem:
            if Progress(objects).has_checkpoint(job, manifest.sequence):  # else a running job has saved and tidied up
                passed_over(manifest.sequence, str(problem))
            continue
        size = sum(file.bytes for file in files)
        return Fetched(folder=folder, sequence=manifest.sequence, files=len(files), bytes=size, damaged=tuple(damaged))
    raise CloudError(f"job '{job}' saves faster than it is fetched.", hint="fetch it when it is over.")


def nothing_whole(job: str, damaged: list[int]) -> AccelctlError:
    if damaged:
        return CloudError(f"every checkpoint of job '{job}' is damaged.", hint="the job itself would start afresh.")
    return ConfigError(f"job '{job}' has not saved anything yet.", hint=f"'accelctl status {job}' shows its progress.")


def newest(manifests: Iterator[Manifest], damaged: list[int]) -> Manifest | None:
    return next((manifest for manifest in manifests if manifest.sequence not in damaged), None)


def chosen(manifest: Manifest, below: str) -> list[SavedFile]:
    wanted = [file for file in manifest.files if PurePosixPath(file.path).is_relative_to(below or ".")]
    if not wanted:
        tops = ", ".join(sorted({file.path.split("/")[0] for file in manifest.files})) or "nothing"
        raise ConfigError(f"--outputs: the job saved nothing below '{below}'.", hint=f"it saved: {tops}.")
    return wanted


def bring(
    objects: Objects, job: str, wanted: list[SavedFile], *, folder: Path, brought: Callable[[int, int], None],
    warn: Callable[[str], None],
) -> list[SavedFile]:  # fmt: skip
    """All of it is brought and checked before the first file is put in place. Raises FileDamaged.

    Links come last, so that no file is written through one. Raises CloudError where a path leads through a link.
    """
    links = {file.path for file in wanted if stat.S_ISLNK(file.mode)}
    if through := [file.path for file in wanted if links & {str(above) for above in PurePosixPath(file.path).parents}]:
        raise CloudError(f"a checkpoint names a path behind a link: {through[0]}.", hint="do not trust this job.")
    targets = [inside(folder, file.path) for file in wanted]
    size = sum(file.bytes for file in wanted)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".accelctl-", dir=folder) as held:

        def one(number: int) -> Path | None:
            file, beside = wanted[number], Path(held, str(number))
            if is_there(targets[number], file):
                return brought(file.bytes, size)
            load(objects, f"{prefix(job)}blobs/{file.sha256}", file, beside, lambda more: brought(more, size))
            return beside

        loaded, placed = [one(number) for number in range(len(wanted))], Placed(folder)
        for file, target, beside in sorted(
            zip(wanted, targets, loaded, strict=True), key=lambda row: row[0].path in links
        ):
            if beside is not None:
                if mine := placed.set_aside(file, target):
                    warn(f"{target} was not fetched, or was changed since: yours is {mine.name} now.")
                place(file, beside, target, folder)
        placed.write(wanted, targets)
    return wanted


def load(objects: Objects, key: str, file: SavedFile, beside: Path, brought: Callable[[int], None]) -> None:
    """Raises FileDamaged."""
    try:
        with beside.open("wb") as out:
            for chunk in objects.chunks(key):
                out.write(chunk)
                brought(len(chunk))
    except ObjectMissing:
        raise FileDamaged(f"{file.path} is missing") from None
    if not holds(beside, file):
        raise FileDamaged(f"{file.path} has other content")
