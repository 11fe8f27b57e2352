"""What spot-train does with a wish: check it, show the plan, submit, carry it to its end."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import click

from provisioner.catalog import labels, meant
from provisioner.catalog import load as load_catalog
from provisioner.catalog.tariffs import tariff
from provisioner.cli import output
from provisioner.cli.carrying import carried
from provisioner.cli.narrate import narrate
from provisioner.cli.output import OutputFormat, money, rate, span
from provisioner.cli.preparing import prepare_first, refuse_unprepared
from provisioner.cli.regions import refuse_unknown
from provisioner.cli.rules import of_settings, refuse
from provisioner.cli.wishes import Wishes
from provisioner.clouds.base import Sold
from provisioner.domain.contract import CURRENCY
from provisioner.domain.jobs import Fallback, JobRecord, JobSpec, JobState
from provisioner.domain.offerings import CapacityType, Offering, in_order
from provisioner.errors import AccelctlError, CloudError, ConfigError
from provisioner.jobs import names
from provisioner.jobs.buying import requirements_of
from provisioner.jobs.costs import disk_per_hour
from provisioner.jobs.resume import Allowance, refuse_useless, resume, resumed
from provisioner.jobs.submit import Submission, made_there, submit
from provisioner.jobs.view import dollars
from provisioner.jobs.workdir import fitting
from provisioner.rules.requests import of_job
from provisioner.rules.ruleset import Finding, judge
from provisioner.settings import Settings
from provisioner.workplace import Workplace

COMPARED = {
    "command": "command", "instance_types": "--instance", "regions": "--region", "zones": "--zone",
    "setup": "--setup", "environment": "--env", "secrets": "--secret", "access": "--access",
    "checkpoint_dir": "--checkpoint-dir", "outputs_dir": "--outputs-dir", "checkpoint_every": "--checkpoint-every",
    "max_price": "--max-price", "max_duration": "--max-duration", "budget": "--budget", "fallback": "--fallback",
    "max_restarts": "--max-restarts", "max_wait": "--max-wait", "disk_gib": "--disk",
}  # fmt: skip
"""What makes a job another one, and the flag that says it."""
LEAST = timedelta(minutes=1)
"""What clouds charge for at least."""


def train(wishes: Wishes) -> int:
    """The exit code of the contract."""
    place = Workplace(settings=wishes.settings)
    refuse(findings(place, wishes.spec))
    known_types(place, wishes.spec)
    regions = refuse_unknown(place.cloud, regions=wishes.spec.regions, zones=wishes.spec.zones)
    refuse_dangling(place, wishes.spec)
    if wishes.dry_run:
        if place.prepared:
            refuse_unprepared(regions, place.prepared)
        fitting(wishes.folder, made_there(wishes.spec))
        return show_plan(wishes, plan(place, wishes.spec))
    prepare_first(place, regions, say=output.note)
    known = record = active_of_that_name(place, wishes)
    if record is None:
        offerings = plan(place, wishes.spec)
        if not confirmed(wishes.spec, offerings, yes=wishes.yes):
            output.note("nothing was launched.")
            return 0
        record = submitted(place, wishes)
        output.note(f"job {record.id}: 'accelctl status {record.id}' follows it from anywhere")
    return carried(place, record, form=wishes.form, detach=wishes.detach, seen=known)


def again(job: str, settings: Settings, *, detach: bool, yes: bool, form: OutputFormat) -> int:
    """What resume does: as `train`, for a job that has ended."""
    place = Workplace(settings=settings)
    held = place.records.read(place.records.find_one(job).id)
    allowance = Allowance(
        max_duration=settings["max_duration"], budget=settings["budget"], max_restarts=settings["max_restarts"]
    )
    record = resumed(held.record, allowance, place.cost_so_far(held.record).paid)
    refuse(findings(place, record.spec))
    offerings = plan(place, record.spec)
    refuse_useless(record, offerings[0], tariff(), place.clock.now())
    if not confirmed(record.spec, offerings, yes=yes):
        output.note("nothing was launched.")
        return 0
    saved = record.checkpoint
    output.note(f"job {record.id} goes on from {f'checkpoint {saved.sequence}' if saved else 'the beginning'}")
    resumed_record = resume(place.objects, held, record)
    return carried(place, resumed_record, form=form, detach=detach, seen=resumed_record)


def findings(place: Workplace, spec: JobSpec) -> list[Finding]:
    """What the rules say of the wish, before any cloud is asked."""
    rules, now = of_settings(place.settings), place.clock.now()
    marks = labels.ours(owner=place.settings["owner"] or "the caller", **spec.labels)
    return [finding for facts in of_job(spec, marks, now) for finding in judge(facts, rules, now)]


def known_types(place: Workplace, spec: JobSpec) -> None:
    """Raises ConfigError for a type that neither the catalog nor the cloud knows."""
    catalog, cloud = load_catalog(), place.cloud
    for instance_type in spec.instance_types:
        if known := catalog.find(spec.cloud, instance_type):
            if known.retiring:
                output.warn(f"{instance_type} is being retired by its cloud, and its driver image with it.")
            continue
        near = meant(instance_type)
        unknown = f"--instance: '{instance_type}' is unknown to the catalog"
        try:
            described = cloud.describe_machine(instance_type, regions=spec.regions)
        except ConfigError as error:
            raise ConfigError(f"{unknown}, and asking the cloud does not help: {error.message}", hint=near) from error
        if described is None:
            raise ConfigError(f"{unknown} and to the cloud.", hint=near)


def refuse_dangling(place: Workplace, spec: JobSpec) -> None:
    """Raises ConfigError for a secret or a bucket that is not there: a machine would be bought to find that out."""
    if not spec.secrets and not spec.access:
        return
    store = place.cloud.job_store()
    home = store.region if store else place.settings["region"] or place.cloud.default_region()
    if wrong := next(iter(place.cloud.dangling(spec.secrets, spec.access, region=home)), ""):
        raise ConfigError(f"{wrong}.", hint="make it first, or mend the name.")


def plan(place: Workplace, spec: JobSpec) -> tuple[Offering, ...]:
    """The offerings in the order they are tried. Raises CloudError where there are none, ConfigError for the budget."""
    wanted = requirements_of(spec)
    sold = place.cloud.offerings(wanted)
    for region, why in {row.region: row.message for row in sold.refused}.items():
        output.warn(f"{region} is left out for now: {why}")
    offerings = in_order(sold, wanted)
    if not offerings:
        raise nothing_fits(spec, sold, place.prepared)
    if spec.budget is not None and any(offering.price_per_hour is None for offering in offerings):
        raise ConfigError(
            "--budget: the price of an offering is not known, so a budget cannot be kept.",
            hint="leave --budget out, or choose an --instance with a known price.",
        )
    if spec.fallback is Fallback.ON_DEMAND and all(one.capacity_type is CapacityType.SPOT for one in offerings):
        output.warn("--fallback: no on-demand machine fits (an unknown price fits no limit), so there is none.")
    cheapest = min((offering.price_per_hour or Decimal(0) for offering in offerings), default=Decimal(0))
    if spec.budget is not None and spec.budget < cheapest / 60:
        raise ConfigError(
            f"--budget: {money(spec.budget)} does not pay for the minute that the cheapest machine costs at least.",
            hint=f"that is {money(cheapest / 60)} of {money(cheapest)} per hour.",
        )
    return offerings


def nothing_fits(spec: JobSpec, sold: Sold, prepared: Sequence[str]) -> AccelctlError:
    """Says which wish is in the way."""
    names = ", ".join(spec.instance_types)
    priced = [offering for offering in sold if offering.price_per_hour is not None]
    if spec.max_price is not None and priced:
        cheapest = min(priced, key=lambda offering: offering.price_per_hour or Decimal(0))
        price, zone = money(cheapest.price_per_hour), cheapest.zone
        return CloudError(
            f"--max-price: the cheapest {names} costs {price} per hour ({zone}).", hint="raise --max-price."
        )
    if not prepared:
        return ConfigError(
            "no region is prepared yet.", hint="'accelctl setup' makes one ready, and so does a first job."
        )
    if sold.refused:
        return CloudError(sold.refused[0].message, hint="or add a --region that is prepared.")
    where = ", ".join(spec.zones or spec.regions) or "the prepared regions"
    return CloudError(
        f"{'--zone' if spec.zones else '--instance'}: no {names} is sold in {where}.",
        hint="prepare another region with 'accelctl setup --region R', or add an --instance or --zone.",
    )


def show_plan(wishes: Wishes, offerings: Sequence[Offering]) -> int:
    low, high = expected(wishes.spec, offerings)
    if wishes.form is OutputFormat.JSON:
        output.document({
            "offerings": [offering_document(offering) for offering in offerings],
            "price_per_hour": offerings[0].price_per_hour, "max_duration_seconds": wishes.spec.max_duration,
            "expected_cost": {"from": dollars(low), "to": dollars(high), "currency": CURRENCY},
            "policy": {"environment": wishes.settings["environment"], "violations": []},
        })  # fmt: skip
        return 0
    output.data(offerings_table(offerings))
    output.note(at_most(wishes.spec, offerings))
    output.note(f"the rules of environment '{wishes.settings['environment']}' allow it; nothing was changed")
    return 0


def expected(spec: JobSpec, offerings: Sequence[Offering]) -> tuple[Decimal | None, Decimal | None]:
    """USD for all of the time that the job may take, on the cheapest and the dearest; None where one is unknown."""
    hours = Decimal(max(spec.max_duration, LEAST).total_seconds()) / 3600
    disk = disk_per_hour(spec.disk_gib, tariff())
    prices = [price + disk for offering in offerings if (price := offering.hourly(Decimal(0))) is not None]
    if len(prices) < len(offerings):
        return None, None
    limit = spec.budget or Decimal("Infinity")
    return min(min(prices) * hours, limit), min(max(prices) * hours, limit)


def at_most(spec: JobSpec, offerings: Sequence[Offering]) -> str:
    low, high = expected(spec, offerings)
    cost = f"{money(low)} to {money(high)} with way and disk{', within the budget' if spec.budget else ''}"
    return f"at most {span(spec.max_duration)} of machine time: {cost}, less what interruptions make free"


def offering_document(offering: Offering) -> dict[str, object]:
    return {
        "cloud": offering.cloud, "region": offering.region, "zone": offering.zone,
        "instance_type": offering.instance_type, "capacity_type": offering.capacity_type,
        "price_per_hour": offering.price_per_hour, "on_demand_per_hour": offering.on_demand_per_hour,
        "way": offering.way.kind, "way_per_hour": offering.way.price_per_hour,
        "way_per_gib": offering.way.price_per_gib, "currency": CURRENCY,
    }  # fmt: skip


def offerings_table(offerings: Sequence[Offering]) -> str:
    headers = ("ORDER", "TYPE", "ZONE", "CAPACITY", "PER HOUR", "ON-DEMAND", "WAY TO STORE", "ITS HOUR", "ITS GIB")
    rows = [
        (order, o.instance_type, o.zone, o.capacity_type, rate(o.price_per_hour), rate(o.on_demand_per_hour),
         o.way.kind, rate(o.way.price_per_hour), rate(o.way.price_per_gib))
        for order, o in enumerate(offerings, 1)
    ]  # fmt: skip
    return output.table(headers, rows)


def active_of_that_name(place: Workplace, wishes: Wishes) -> JobRecord | None:
    """The job that this very command started before and that is not over yet."""
    if not wishes.named:
        return None
    active = [record for record in place.records.open() if record.spec.name == wishes.spec.name]
    if not active:
        say_resumable(place, wishes.spec.name)
        return None
    record = same_job(active[-1], wishes)
    output.note(f"job {record.id} of that name is active: continuing it, with the work folder that was sent then")
    for line in narrate(None, record):
        output.note(f"so far: {line}")
    return record


def say_resumable(place: Workplace, name: str) -> None:
    """A new job begins at its beginning, although the last one of that name could go on."""
    before = names.last_holder(place.objects, name)
    if before and before.checkpoint and before.state is not JobState.SUCCEEDED:
        saved = f"checkpoint {before.checkpoint.sequence}"
        output.note(f"this is a new job; 'accelctl resume {before.id}' goes on from {saved} of the last one")


def same_job(record: JobRecord, wishes: Wishes) -> JobRecord:
    """Raises ConfigError where the job of that name was asked for otherwise; the limits of a resume are not asked."""
    before = record.asked or record.spec
    others = [name for name in COMPARED if getattr(before, name) != getattr(wishes.spec, name)]
    if others:
        flags = ", ".join(COMPARED[name] for name in others)
        raise ConfigError(
            f"--name: an active job named '{record.spec.name}' ({record.id}) was started with another {flags}.",
            hint=f"choose another name, or 'accelctl cancel {record.id}' first.",
        )
    return record


def confirmed(spec: JobSpec, offerings: Sequence[Offering], *, yes: bool) -> bool:
    if yes or not sys.stdin.isatty():
        return True
    output.note(offerings_table(offerings[:5]))
    output.note(at_most(spec, offerings))
    return click.confirm("launch?", default=True, err=True)


def submitted(place: Workplace, wishes: Wishes) -> JobRecord:
    from provisioner.agent.bundle import build

    submission = Submission(
        spec=wishes.spec, folder=wishes.folder, owner=place.owner, store=place.store.url,
        store_region=place.store.region, unique=wishes.named,
    )  # fmt: skip
    return same_job(submit(place.objects, submission, now=place.clock.now(), agent=build, say=output.note), wishes)
