"""What a stack says to the function that it deploys, checked before anything is made."""

from provisioner.errors import ConfigError
from provisioner.reaper.thresholds import configured
from provisioner.settings import tables


def exemptions(value: str) -> str:
    """Empty, or exemptions as JSON, as they were written. Raises ValueError naming what cannot be understood."""
    try:
        configured(tables(value) if value else (), "JSON")
    except ConfigError as wrong:
        raise ValueError(wrong.message.rstrip(".")) from wrong
    return value
