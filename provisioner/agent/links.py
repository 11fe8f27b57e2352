"""What a path or a link of a manifest may say: it is data, and leads into its folder. Annotated for `jobs`."""

from __future__ import annotations

import os


def leads_down(path: str) -> bool:
    """Whether a path names something below the folder that it is relative to, by its words."""
    return bool(path) and not os.path.isabs(path) and ".." not in path.split("/")


def within(root: str, path: str, leads: str) -> bool:
    """Whether a link at that path stays in the root folder, by its words: up at first only, then down.

    Up again after down would end where other links say, and only a plain way can be judged by itself.
    """
    down = leads.split("/")
    while down and down[0] in ("..", "."):
        down.pop(0)
    target = os.path.normpath(os.path.join(os.path.abspath(os.path.dirname(path)), leads))
    plain = bool(leads) and not os.path.isabs(leads) and ".." not in down
    return plain and target.startswith(os.path.join(os.path.abspath(root), ""))
