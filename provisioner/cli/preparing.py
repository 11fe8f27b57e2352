"""First use: what jobs need is made before the first job, and said."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches

from provisioner.clouds.base import PreparesRegion
from provisioner.errors import ConfigError
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
        refuse_other("--zone", zone, cloud.zones(home) if home else ())
        homes.append(home)
    return tuple(dict.fromkeys(homes))


def refuse_other(flag: str, name: str, known: Sequence[str]) -> None:
    if name in known:
        return
    kind = flag.removeprefix("--")
    near = ", ".join(get_close_matches(name, known, n=3)) or {"region": "us-east-1", "zone": "us-east-1a"}[kind]
    raise ConfigError(f"{flag}: '{name}' is not a {kind} of this account.", hint=f"such as {near}.")


def prepare_first(place: Workplace, regions: tuple[str, ...], *, say: Callable[[str], None]) -> None:
    """Prepares the home region when nothing is prepared yet. Raises ConfigError for a region that is not prepared."""
    prepared = place.cloud.prepared_regions() if place.cloud.job_store() else ()
    if not prepared:
        home = place.settings["region"] or next(iter(regions), "") or place.cloud.default_region()
        say(f"first use: preparing {home} (bucket, network, boundary); 'accelctl setup' does the same")
        for thing in place.cloud.prepare(home, way=place.settings["way"]):
            if thing.made:
                say(f"  made {thing.kind} {thing.id}")
        prepared = (home,)
    if missing := [region for region in regions if region not in prepared]:
        raise ConfigError(
            f"--region: {missing[0]} is not prepared.", hint=f"'accelctl setup --region {missing[0]}' prepares it."
        )
