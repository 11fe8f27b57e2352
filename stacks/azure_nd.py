"""azure-nd: ND and NC machines of Azure for training."""

from stacks.components.azure_machine import KEYS, AzureMachines
from stacks.settings import read


def program() -> None:
    """ND H100 v5 by default, spot, shut down by Azure itself."""
    AzureMachines("nd", read(KEYS)).export()
