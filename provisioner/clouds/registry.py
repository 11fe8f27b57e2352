"""The table of clouds. A cloud's SDK is an extra: it is asked for by name where it is missing."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, cast

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
    KnowsReferences,
    MeasuresUtilisation,
    Notifies,
    PreparesRegion,
    PublishesMetrics,
    ReapsInstances,
    SeesSessions,
)
from provisioner.clouds.pending import FindsPending
from provisioner.errors import ConfigError

CLOUDS = {"aws": ("provisioner.clouds.aws", "Aws", "boto3")}
"""Name -> module, class, and the package that its extra installs."""
PENDING = {"aws": ("provisioner.clouds.aws.pending", "Orphans", "boto3")}
"""The same of what finds what Pulumi was making, by Pulumi's name of the cloud."""

STACKS_ALONE = {
    "gcp": "jobs, setup and teardown do not run on Google Cloud, which has stacks alone",
    "azure": "jobs, setup and teardown do not run on Azure, which has stacks alone",
}
UNKNOWN = "'{}' is not known"


class Cloud(
    CloudProvider, ChecksHealth, GivesIdentity, KeepsConsole, KnowsPrices, FindsLeftovers, FindsUnused,
    DescribesMachines, PreparesRegion, KnowsQuotas, MeasuresUtilisation, ReapsInstances, PublishesMetrics, Notifies,
    SeesSessions, KnowsReferences, Protocol,
):  # fmt: skip
    """Everything that the command line needs of a cloud."""

    def requests(self) -> Mapping[str, int]:
        """How many were sent so far, by `<service>.<operation>`; retries too."""
        ...


def provider(name: str, *, clock: Clock, region: str = "", store: str = "", only: Sequence[str] = ()) -> Cloud:
    """Raises ConfigError for a cloud that is not known, or whose extra is not installed."""
    if name not in CLOUDS:
        raise ConfigError(f"--cloud: {STACKS_ALONE.get(name, UNKNOWN.format(name))}.", hint=hint(name))
    return cast(Cloud, loaded(name, *CLOUDS[name])(clock=clock, region=region, store=store, only=only))


def pending_finder(name: str) -> FindsPending | None:
    """None for clouds whose things have ids that follow from their inputs. Raises ConfigError without the extra."""
    return cast(FindsPending, loaded(name, *PENDING[name])()) if name in PENDING else None


def loaded(name: str, module: str, kind: str, package: str) -> Any:
    """Raises ConfigError where the cloud's extra is not installed."""
    try:
        return getattr(import_module(module), kind)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.split(".")[0] not in (package, "botocore"):
            raise
        raise ConfigError(f"{package} is not installed.", hint=f"pip install 'accelctl[{name}]'") from missing


def hint(name: str) -> str:
    if name in STACKS_ALONE:
        return f"'pulumi up' of base-{name} makes what setup makes, 'pulumi destroy' removes it: docs/stacks.md."
    return f"known: {', '.join(CLOUDS)}."
