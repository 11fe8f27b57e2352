"""reaper-aws: the function that sends idle and orphaned machines home."""

from stacks.components.aws_reaper import KEYS, Reaper
from stacks.settings import read


def program() -> None:
    """One function for the account, on a schedule."""
    Reaper("reaper", read(KEYS)).export()
