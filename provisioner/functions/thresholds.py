"""What the function will read of its exemptions, checked before it is deployed."""

from provisioner.errors import ConfigError
from provisioner.reaper.thresholds import configured
from provisioner.settings import tables


def exemptions(value: str) -> str:
    """The text as it was given, or empty. Raises ValueError for what each round of the function would die of."""
    try:
        configured(tables(value) if value else (), "JSON")
    except ConfigError as wrong:
        raise ValueError(str(wrong).rstrip(".")) from wrong
    except ValueError as wrong:
        raise ValueError('it is a list of tables such as [{"labels": {"accelctl:team": "vision"}}]') from wrong
    return value
