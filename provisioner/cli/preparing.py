"""First use: what jobs need is made before the first job, and said."""

from collections.abc import Callable, Sequence

from provisioner.errors import ConfigError
from provisioner.workplace import Workplace


def prepare_first(place: Workplace, regions: tuple[str, ...], *, say: Callable[[str], None]) -> None:
    """Prepares the home region when nothing is prepared yet. Raises ConfigError for a region that is not prepared."""
    prepared = place.prepared
    if not prepared:
        home = place.settings["region"] or next(iter(regions), "") or place.cloud.default_region()
        say(f"first use: preparing {home} (bucket, network, boundary); 'accelctl setup' does the same")
        for thing in place.cloud.prepare(home, way=place.settings["way"]):
            if thing.made:
                say(f"  made {thing.kind} {thing.id}")
        prepared = (home,)
    refuse_unprepared(regions, prepared)


def refuse_unprepared(regions: Sequence[str], prepared: Sequence[str]) -> None:
    """Raises ConfigError naming the command that prepares it."""
    if missing := [region for region in regions if region not in prepared]:
        raise ConfigError(
            f"--region: {missing[0]} is not prepared.", hint=f"'accelctl setup --region {missing[0]}' prepares it."
        )
