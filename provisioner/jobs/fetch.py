"""Brings what a job saved: every file checked against its manifest, the previous checkpoint where one is damaged."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from provisioner.errors import CloudError, ConfigError
from provisioner.jobs.objects import ObjectMissing, Objects
from provisioner.jobs.progress import Manifest, Progress, SavedFile
from provisioner.jobs.records import prefix

FILES_AT_ONCE = 4
MOST_LOOKS = 20
"""Newer checkpoints take the place of one that is being brought; at some point the line is too slow for the job."""


def nobody_looks(_: int, __: int) -> None:
    """Without a terminal there is no progress to show."""


class Damaged(Exception):
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
    brought: Callable[[int, int], None] = nobody_looks,
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
            break
        try:
            files = bring(objects, job, chosen(manifest, below), folder=folder, brought=brought)
        except Damaged as problem:
            if Progress(objects).has_checkpoint(job, manifest.sequence):  # else a running job has saved and tidied up
                passed_over(manifest.sequence, str(problem))
        else:
            size = sum(file.bytes for file in files)
            return Fetched(
                folder=folder, sequence=manifest.sequence, files=len(files), bytes=size, damaged=tuple(damaged)
            )
    else:
        raise CloudError(f"job '{job}' saves faster than it is fetched.", hint="fetch it when it is over.")
    if damaged:
        raise CloudError(f"every checkpoint of job '{job}' is damaged.", hint="the job itself would start afresh.")
    raise ConfigError(f"job '{job}' has not saved anything yet.", hint=f"'accelctl status {job}' shows its progress.")


def newest(manifests: Iterator[Manifest], damaged: list[int]) -> Manifest | None:
    return next((manifest for manifest in manifests if manifest.sequence not in damaged), None)


def chosen(manifest: Manifest, below: str) -> list[SavedFile]:
    wanted = [file for file in manifest.files if PurePosixPath(file.path).is_relative_to(below or ".")]
    if not wanted:
        tops = ", ".join(sorted({file.path.split("/")[0] for file in manifest.files})) or "nothing"
        raise ConfigError(f"--outputs: the job saved nothing below '{below}'.", hint=f"it saved: {tops}.")
    return wanted


def bring(
    objects: Objects, job: str, wanted: list[SavedFile], *, folder: Path, brought: Callable[[int, int], None]
) -> list[SavedFile]:
    """Several files at a time; links after all of them, so that no file is written through one.

    Raises CloudError where a path leads through a link.
    """
    links = {file.path for file in wanted if stat.S_ISLNK(file.mode)}
    if through := [file.path for file in wanted if links & {str(above) for above in PurePosixPath(file.path).parents}]:
        raise CloudError(f"a checkpoint names a path behind a link: {through[0]}.", hint="do not trust this job.")
    sizes = sum(file.bytes for file in wanted)

    def one(file: SavedFile) -> None:
        place(
            objects, f"{prefix(job)}blobs/{file.sha256}", file, folder=folder,
            brought=lambda size: brought(size, sizes),
        )  # fmt: skip

    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        list(pool.map(one, [file for file in wanted if file.path not in links]))
    for file in wanted:
        if file.path in links:
            one(file)
    return wanted


def place(objects: Objects, key: str, file: SavedFile, *, folder: Path, brought: Callable[[int], None]) -> None:
    """Writes beside the target and renames, so that a target is old or new and never half."""
    target = inside(folder, file.path)
    if target.is_file() and not target.is_symlink() and sha256_of(target) == file.sha256:
        return brought(file.bytes)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    seen = hashlib.sha256()
    try:
        with partial.open("wb") as out:
            for chunk in objects.chunks(key):
                seen.update(chunk)
                out.write(chunk)
                brought(len(chunk))
    except ObjectMissing:
        partial.unlink(missing_ok=True)
        raise Damaged(f"{file.path} is missing") from None
    if seen.hexdigest() != file.sha256:
        partial.unlink()
        raise Damaged(f"{file.path} has other content")
    if stat.S_ISLNK(file.mode):
        return linked(partial, target, folder)
    partial.chmod(file.mode & 0o777)
    partial.replace(target)
    if file.modified_ns:
        os.utime(target, ns=(file.modified_ns, file.modified_ns))
    return None


def linked(held: Path, target: Path, folder: Path) -> None:
    """The file that holds where a link leads becomes that link. Raises CloudError for one that leads out."""
    leads = os.fsdecode(held.read_bytes())
    held.unlink()
    end = Path(os.path.normpath(target.parent / leads))
    if winding(leads) or not end.is_relative_to(os.path.normpath(folder)):
        raise CloudError(
            f"a checkpoint has a link that leads out of its folder: {leads}.", hint="do not trust this job."
        )
    target.unlink(missing_ok=True)
    target.symlink_to(leads)


def winding(leads: str) -> bool:
    """Up again after down: where that ends depends on other links, and only a plain way can be judged by its words."""
    parts = PurePosixPath(leads).parts
    ups = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    return leads.startswith("/") or ".." in parts[ups:]


def inside(folder: Path, path: str) -> Path:
    """A manifest is data from a machine: its paths may not lead out of the folder, nor through a link in it."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise CloudError(f"a checkpoint names a path outside of its folder: {path}.", hint="do not trust this job.")
    for above in pure.parents[:-1]:
        if (folder / above).is_symlink():
            raise ConfigError(
                f"'{folder / above}' is a link, and '{path}' would be written behind it.",
                hint="remove the link, or fetch into an empty folder.",
            )
    return folder / pure


def sha256_of(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
