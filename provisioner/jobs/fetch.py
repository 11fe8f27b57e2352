"""Brings what a job saved: every file checked against its manifest, the previous checkpoint where one is damaged."""

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from provisioner.errors import CloudError, ConfigError
from provisioner.jobs.objects import ObjectMissing, Objects
from provisioner.jobs.progress import Manifest, Progress, SavedFile
from provisioner.jobs.records import prefix


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


def fetch(objects: Objects, job: str, folder: Path, *, below: str = "", warn: Callable[[str], None]) -> Fetched:
    """The newest whole checkpoint of the job into `folder`; with `below`, only the paths under that one.

    Raises ConfigError where nothing was saved or no path matches, CloudError where every checkpoint is damaged.
    """
    damaged: list[int] = []

    def passed_over(sequence: int, problem: str) -> None:
        damaged.append(sequence)
        warn(f"checkpoint {sequence} is damaged ({problem}); trying the one before.")

    for manifest in Progress(objects).manifests(job, damaged=passed_over):
        try:
            return bring(objects, job, manifest, folder=folder, below=below, damaged=tuple(damaged))
        except Damaged as problem:
            passed_over(manifest.sequence, str(problem))
    if damaged:
        raise CloudError(f"every checkpoint of job '{job}' is damaged.", hint="the job itself would start afresh.")
    raise ConfigError(f"job '{job}' has not saved anything yet.", hint=f"'accelctl status {job}' shows its progress.")


def bring(
    objects: Objects, job: str, manifest: Manifest, *, folder: Path, below: str, damaged: tuple[int, ...]
) -> Fetched:
    wanted = [file for file in manifest.files if PurePosixPath(file.path).is_relative_to(below or ".")]
    if not wanted:
        tops = ", ".join(sorted({file.path.split("/")[0] for file in manifest.files})) or "nothing"
        raise ConfigError(f"--outputs: job '{job}' saved nothing below '{below}'.", hint=f"it saved: {tops}.")
    for file in wanted:
        place(objects, f"{prefix(job)}blobs/{file.sha256}", file, folder=folder)
    size = sum(file.bytes for file in wanted)
    return Fetched(folder=folder, sequence=manifest.sequence, files=len(wanted), bytes=size, damaged=damaged)


def place(objects: Objects, key: str, file: SavedFile, *, folder: Path) -> None:
    """Writes beside the target and renames, so that a target is old or new and never half."""
    target = inside(folder, file.path)
    if target.is_file() and not target.is_symlink() and sha256_of(target) == file.sha256:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    seen = hashlib.sha256()
    try:
        with partial.open("wb") as out:
            for chunk in objects.chunks(key):
                seen.update(chunk)
                out.write(chunk)
    except ObjectMissing:
        partial.unlink(missing_ok=True)
        raise Damaged(f"{file.path} is missing") from None
    if seen.hexdigest() != file.sha256:
        partial.unlink()
        raise Damaged(f"{file.path} has other content")
    if stat.S_ISLNK(file.mode):
        linked(partial, target, folder)
        return
    partial.chmod(file.mode & 0o777)
    partial.replace(target)
    if file.modified_ns:
        os.utime(target, ns=(file.modified_ns, file.modified_ns))


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
