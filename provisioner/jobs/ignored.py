"""What git leaves out of a tree: .gitignore files up to the top of the repository, and what is said beside them."""

import os
import re
import subprocess
from collections.abc import Iterator
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, cast

import pathspec

FOLDER = "ps_d"
"""The group of pathspec's expressions that ends where a folder's name does."""
Word = tuple[re.Pattern[str], bool]
"""A pattern, and whether what it means is ignored."""
GIT_WITHIN = 10
"""Seconds that git gets to read its configuration."""


class Ignored:
    """Whether git would leave out a path: the deepest .gitignore that has a word on it decides, then the excludes.

    No path is judged by the folders that it lies in: whoever walks enters no ignored one. So a work folder that git
    ignores as a whole is sent, without what is ignored by its own name.
    """

    def __init__(self, root: Path) -> None:
        self._top = repository(root.resolve())
        self._below = PurePosixPath(root.resolve().relative_to(self._top))
        self._excludes = [patterns(file) for file in excludes(self._top)]
        self._files: dict[PurePosixPath, list[Word]] = {}

    def __call__(self, path: PurePosixPath, *, folder: bool) -> bool:
        """Raises OSError where a .gitignore cannot be read."""
        path, end = self._below / path, "/" if folder else ""
        words = (verdict(self._gitignore(parent), f"{path.relative_to(parent)}{end}") for parent in path.parents)
        beside = (verdict(held, f"{path}{end}") for held in self._excludes)
        return next((word for word in chain(words, beside) if word is not None), False)

    def _gitignore(self, folder: PurePosixPath) -> list[Word]:
        if folder not in self._files:
            self._files[folder] = patterns(self._top / folder / ".gitignore")
        return self._files[folder]


def repository(folder: Path) -> Path:
    """The top of the innermost one that has the folder; the folder itself where there is none."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)


def excludes(top: Path) -> Iterator[Path]:
    """The repository's own, then the user's, as gitignore(5) has them."""
    yield git_folder(top / ".git") / "info" / "exclude"
    home = Path(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"))  # noqa: PTH111 - bears that there is no home
    yield Path(configured(top, "core.excludesFile") or home / "git" / "ignore")


def git_folder(mark: Path) -> Path:
    """A work tree or a submodule has a file that says where it lies."""
    if not mark.is_file():
        return mark
    own = mark.parent / mark.read_text().removeprefix("gitdir:").strip()
    shared = own / "commondir"
    return own / shared.read_text().strip() if shared.is_file() else own


def configured(top: Path, name: str) -> str:
    """Empty where it is not set, or there is no git."""
    asked = ["git", "-C", str(top), "config", "--type=path", "--get", name]
    try:
        return subprocess.run(asked, capture_output=True, text=True, timeout=GIT_WITHIN, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def patterns(file: Path) -> list[Word]:
    """The last one first. Raises OSError."""
    lines = file.read_text(errors="replace").splitlines() if file.is_file() else []
    held = cast("list[Any]", list(pathspec.GitIgnoreSpec.from_lines(lines).patterns))
    return [(one.regex, one.include) for one in reversed(held) if one.include is not None]


def verdict(held: list[Word], name: str) -> bool | None:
    """Of the last pattern that means this very path: pathspec's also match all that lies in a folder."""
    return next((include for regex, include in held if any(ends(one, name) for one in regex.finditer(name))), None)


def ends(found: re.Match[str], name: str) -> bool:
    """Where the name does. `a/**` is all in `a`, and not `a/` itself; its expression has no group."""
    if found.groupdict().get(FOLDER) is None:
        return not (name.endswith("/") and found.end() == len(name))
    return found.end(FOLDER) == len(name)
