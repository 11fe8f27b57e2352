"""The table of clouds. A cloud's SDK is an extra: it is asked for by name where it is missing."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Protocol, cast

from provisioner.clock import Clock
from provisioner.clouds.base import (
    ChecksHealth,
    CloudProvider,
    DescribesMachines,
    FindsLeftovers,
    FindsUnused,
    GivesIdentity,
    KeepsConsole,
    KnowsPrices,
    KnowsQuotas,
    MeasuresUtilisation,
    Notifies,
    PreparesRegion,
    PublishesMetrics,
    ReapsInstances,
    SeesSessions,
)
from provisioner.errors import ConfigError

CLOUDS = {"aws": ("provisioner.clouds.aws", "Aws", "boto3")}
"""Name -> module, class, and the package that its extra installs."""

STACKS_ALONE = {
    "gcp": "jobs, setup and teardown do not run on Google Cloud, which has stacks alone",
    "azure": "jobs, setup and teardown do not run on Azure, which has stacks alone",
}
UNKNOWN = "'{}' is not known"


class Cloud(
    CloudProvider, ChecksHealth, GivesIdentity, KeepsConsole, KnowsPrices, FindsLeftovers, FindsUnused,
    DescribesMachines, PreparesRegion, KnowsQuotas, MeasuresUtilisation, ReapsInstances, PublishesMetrics, Notifies,
    SeesSessions, Protocol,
):  # fmt: skip
    """Everything that the command line needs of a cloud."""

    def requests(self) -> Mapping[str, int]:
        """How many were sent so far, by `<service>.<operation>`; retries too."""
        ...


def provider(name: str, *, clock: Clock, region: str = "", store: str = "", only: Sequence[str] = ()) -> Cloud:
    """Raises ConfigError for a cloud that is not known, or whose extra is not installed."""
    if name not in CLOUDS:
        raise ConfigError(f"--cloud: {STACKS_ALONE.get(name, UNKNOWN.format(name))}.", hint=hint(name))
    module, kind, package = CLOUDS[name]
    try:
        loaded = import_module(module)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.split(".")[0] not in (package, "botocore"):
            raise
        raise ConfigError(f"{package} is not installed.", hint=f"pip install 'accelctl[{name}]'") from missing
    return cast(Cloud, getattr(loaded, kind)(clock=clock, region=region, store=store, only=only))


def hint(name: str) -> str:
    if name in STACKS_ALONE:
        return f"'pulumi up' of base-{name} makes what setup makes, 'pulumi destroy' removes it: docs/stacks.md."
    return f"known: {', '.join(CLOUDS)}."
