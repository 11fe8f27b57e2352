"""Machines that are launched from a template of the same stack, with what the template gives them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from provisioner.rules.aws import end_of
from provisioner.rules.configuration import Configuration
from provisioner.rules.facts import UNKNOWN, Facts, Unknown
from provisioner.rules.ruleset import RULES, Finding, Outcome, Rule, judged_alone


def broken(found: Sequence[Facts], allowed: Configuration, now: datetime) -> Iterator[Finding]:
    """What a machine alone does not show to be wrong, and its template does, whichever of the stack's it is."""
    for one in found:
        made = unused(one, found) if one.blueprint else [launched(one, each) for each in found if fits(one, each)]
        for rule in RULES if made else ():
            if not violated(rule, one, allowed, now):
                findings = [violated(rule, each, allowed, now) for each in made]
                yield from [worst for worst in findings[:1] if worst and all(findings)]


def unused(template: Facts, found: Sequence[Facts]) -> list[Facts]:
    """What others launch from it, where its stack launches nothing: that has no labels but what it hands on."""
    mine = any(one.group or one.template != "" for one in found if one.cloud == template.cloud)
    return [] if mine else [replace(template, ends_at=end_of(template.hands_on))]


def fits(one: Facts, template: Facts) -> bool:
    """What is not known yet is made by this very stack."""
    named = one.template is UNKNOWN or (one.template != "" and one.template in template.ids)
    return template.blueprint and named


def launched(one: Facts, template: Facts) -> Facts:
    """The machine: what it says itself goes before what its template says."""
    labels, own = with_labels(template.hands_on, one.labels), isinstance(one.instance_types, Unknown)
    source = template if own else one
    return replace(
        one, template="", from_template=False, labels=labels, ends_at=end_of(labels),
        instance_types=source.instance_types, usd_per_hour=source.usd_per_hour,
        at_most=source.at_most, accelerated=source.accelerated,
        capacity=template.capacity if one.capacity is UNKNOWN else one.capacity,
    )  # fmt: skip


def with_labels(under: Any, over: Any) -> Any:
    return UNKNOWN if UNKNOWN in (under, over) else {**under, **over}


def violated(rule: Rule, facts: Facts, allowed: Configuration, now: datetime) -> Finding | None:
    found = judged_alone(rule, facts, allowed, now) if rule.judges(facts) else None
    return found if found and found.outcome is Outcome.VIOLATION else None
