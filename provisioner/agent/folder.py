"""The work folder as it was sent: regular files, folders and links, and nothing that leads out of it."""

import os
import tarfile


class Unfit(Exception):
    """The archive holds what a work folder cannot."""


def unpack(packed, folder):
    """Extracts the archive with its modes. Raises Unfit, before anything is written."""
    with tarfile.open(packed) as archive:
        members = archive.getmembers()
        links = {os.path.normpath(member.name) for member in members if member.issym()}
        for member in members:
            refuse_unfit(member, links)
        kept = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
        archive.extractall(folder, members, **kept)  # noqa: S202 - judged above; Python's filters change odd modes


def refuse_unfit(member, links):
    """A link may lead anywhere, as it did where it came from; but nothing is written through it."""
    name = os.path.normpath(member.name)
    if not (member.isreg() or member.isdir() or member.issym()):
        raise Unfit("'%s' is neither a file nor a folder nor a link" % member.name)
    if os.path.isabs(name) or name.split(os.sep)[0] == os.pardir:
        raise Unfit("'%s' is outside of it" % member.name)
    parent = os.path.dirname(name)
    while parent:
        if parent in links:
            raise Unfit("'%s' leads through a link" % member.name)
        parent = os.path.dirname(parent)
