"""Which regions a command goes to, or looks at."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING

from provisioner.cli import output
from provisioner.clouds.base import PreparesRegion
from provisioner.clouds.regions import named
from provisioner.errors import AccelctlError, CloudError, ConfigError

if TYPE_CHECKING:
    from provisioner.workplace import Workplace


def refuse_unknown(cloud: PreparesRegion, *, regions: Sequence[str] = (), zones: Sequence[str] = ()) -> tuple[str, ...]:
    """The regions of all of them. Raises ConfigError for the first that the account does not have."""
    if not regions and not zones:
        return ()
    known = cloud.regions()
    for region in regions:
        refuse_other("--region", region, known)
    homes = list(regions)
    for zone in zones:
        home = max((region for region in known if zone.startswith(region)), key=len, default="")
        refuse_other("--zone", zone, cloud.zones(home) if home else (), kind="zone")
        homes.append(home)
    return tuple(dict.fromkeys(homes))


def looked_at(place: "Workplace", wanted: Sequence[str], *, everybodys: bool = False) -> Iterable[str]:
    """Those named, or every one where there may be something. Raises ConfigError for one that is not the account's."""
    if wanted:
        return refuse_unknown(place.cloud, regions=wanted)
    say_narrowed(place)
    return place.inhabited(everybodys=everybodys)


def say_narrowed(place: "Workplace") -> None:
    """Where the setting `look_in` hides the others. Raises ConfigError for a name in it that no region has.

    Where nobody may list the regions, a wrong name is told by the look there.
    """
    said = place.settings.values["look_in"]
    with suppress(CloudError):
        for region in said.value:
            refuse_other(f"look_in ({said.source})", region, place.cloud.regions())
    if said.value:
        output.note(f"looking only at what setup prepared and at {', '.join(said.value)}: look_in ({said.source})")


def say_unseen(unseen: Mapping[str, AccelctlError]) -> None:
    for region, why in unseen.items():
        output.warn(f"{named(region)} could not be looked at: {why.message}")


def unseen_document(unseen: Mapping[str, AccelctlError]) -> list[dict[str, str]]:
    return [{"region": region, "reason": why.message} for region, why in unseen.items()]


def refuse_other(where: str, name: str, known: Sequence[str], *, kind: str = "region") -> None:
    if name in known:
        return
    near = ", ".join(get_close_matches(name, known, n=3)) or {"region": "us-east-1", "zone": "us-east-1a"}[kind]
    raise ConfigError(f"{where}: '{name}' is not a {kind} of this account.", hint=f"such as {near}.")
