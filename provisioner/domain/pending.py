"""What a killed `pulumi up` was making."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Pending:
    """One thing that may have been made: nobody wrote down its id."""

    urn: str
    type: str
    inputs: Mapping[str, Any]
    custom: bool = True
    """Of a provider; a component is nothing in the cloud."""
    id: str = ""
    """Of an adoption that was not finished."""

    @property
    def name(self) -> str:
        return self.urn.rsplit("::", 1)[-1]

    @property
    def cloud(self) -> str:
        """aws, gcp or azure-native."""
        return self.type.partition(":")[0]
