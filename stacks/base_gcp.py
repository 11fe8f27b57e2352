"""base-gcp: what jobs need once."""

from stacks.components.base_keys import GCP
from stacks.components.gcp_base import GcpBase
from stacks.settings import read


def program() -> None:
    """The job store and the machines' account of a project, and the network of a region."""
    GcpBase("base", read(GCP)).export()
