"""base-azure: what jobs need once."""

from stacks.components.azure_base import AzureBase
from stacks.components.base_keys import AZURE
from stacks.settings import read


def program() -> None:
    """The resource group, the job store and the network of a subscription."""
    AzureBase("base", read(AZURE)).export()
