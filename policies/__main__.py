"""The policy pack `accelctl`: an adapter over provisioner.rules, with no rule inside."""

import getpass
import importlib.metadata
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the project's root: the engine starts packs in policies/

import grpc
import pulumi
from google.protobuf.json_format import MessageToDict
from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyPack,
    PolicyResourceOptions,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy import policy as sdk
from pulumi_policy.proxy import UnknownValueError

from provisioner.errors import ConfigError
from provisioner.rules import configuration, documents, packs, readers, remedies, ruleset, totals
from provisioner.rules.aws import OPTIONS
from provisioner.rules.facts import UNKNOWN, Facts

SCHEMA = PolicyConfigSchema(
    {
        "environment": {"type": "string", "enum": [*configuration.BUNDLED], "default": "development"},
        "allowed": {"type": "object", "default": {}},
        "owner": {"type": "string", "default": ""},
    }
)
NOT_YET = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The engine's own sign for a text that is not known yet."""
Remedy = Callable[[remedies.Case], Iterator[remedies.Addition]]
LEVELS = {
    ruleset.Level.MANDATORY: EnforcementLevel.MANDATORY,
    ruleset.Level.ADVISORY: EnforcementLevel.ADVISORY,
}


def plain(value: Any) -> Any:
    """The engine's proxies as plain values; what cannot be read yet is UNKNOWN, and hides nothing beside it."""
    if isinstance(value, Mapping):
        return {str(name): reached(value, name) for name in value}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [reached(value, index) for index in range(len(value))]  # pyright: ignore[reportUnknownArgumentType]
    return documents.plain(value)


def reached(holder: Any, name: Any) -> Any:
    try:
        return plain(holder[name])
    except UnknownValueError:
        return UNKNOWN


def options(told: PolicyResourceOptions) -> Mapping[str, Any]:
    return {"protect": told.protect, "ignoreChanges": list(told.ignore_changes or ())}


class Strict(sdk._PolicyAnalyzerServicer):  # pyright: ignore[reportPrivateUsage]
    """Refuses a configuration that names what does not exist: the SDK itself hands it to nobody, in silence."""

    def __init__(self, name: str, _version: str, *rest: Any) -> None:
        """The SDK's own version would stand in its messages."""
        super().__init__(name, importlib.metadata.version("accelctl"), *rest)

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        try:
            packs.refuse({name: MessageToDict(one.properties) for name, one in request.policyConfig.items()})
        except ConfigError as refusal:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{refusal.message} {refusal.hint}")
        return super().Configure(request, context)  # pyright: ignore[reportUnknownMemberType]


def allowed(config: Mapping[str, Any]) -> configuration.Configuration:
    return packs.allowed(plain(config))


def policy(rule: ruleset.Rule) -> ResourceValidationPolicy:
    """One policy a rule, so that each can be configured by its name."""
    return ResourceValidationPolicy(
        name=rule.name, description=rule.help, enforcement_level=LEVELS[rule.level], config_schema=SCHEMA,
        validate=validation(rule), remediate=remediation(remedies.REMEDIES.get(rule.name)),
    )  # fmt: skip


def facts_of(args: ResourceValidationArgs) -> Facts | None:
    """None for a type that the rules do not read."""
    reader = readers.reader_of(args.resource_type)
    return reader(args.name, plain(args.props) | {OPTIONS: options(args.opts)}) if reader else None


def remediation(remedy: Remedy | None) -> Callable[[ResourceValidationArgs], Any] | None:
    """What is added is set in the engine's own inputs, so that secrets and what is not known yet stay what they are."""
    if remedy is None:
        return None

    def remediate(args: ResourceValidationArgs) -> Any:
        found, config = facts_of(args), args.get_config()
        if found is None:
            return None
        case = remedies.Case(
            token=readers.plain(args.resource_type), facts=found, allowed=allowed(config), now=datetime.now(UTC),
            caller=str(config.get("owner") or caller()), stack=pulumi.get_stack(),
        )  # fmt: skip
        added = list(remedy(case))
        for one in added:
            put(args.props, one)
        return args.props if added else None

    return remediate


def put(holder: Any, one: remedies.Addition) -> None:
    *way, last = one.path
    for name in way:
        if name not in holder or holder[name] is None:
            holder[name] = {}
        holder = holder[name]
    holder[last] = one.value


def caller() -> str:
    """Who runs Pulumi; empty where the system does not know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def validation(rule: ruleset.Rule) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        found = facts_of(args)
        if found is None or not rule.judges(found):
            return
        finding = ruleset.judged(rule, found, allowed(args.get_config()), datetime.now(UTC))
        if finding is None or finding.outcome is ruleset.Outcome.EXEMPT:
            return
        if finding.outcome is ruleset.Outcome.UNKNOWN:
            raise not_known(finding)
        report(str(finding), None)

    return validate


def not_known(finding: ruleset.Finding) -> UnknownValueError:
    """The engine makes an advisory note of it, with this text."""
    problem = UnknownValueError(NOT_YET, [finding.subject])
    problem.message = f"{finding.what} ({finding.subject})"
    return problem


def of_stack(args: StackValidationArgs) -> list[ruleset.Finding]:
    """What the totals say: at preview with what is known then, and after `up`."""
    found = [
        reader(one.name, plain(one.props) | {OPTIONS: options(one.opts)})
        for one in args.resources
        if (reader := readers.reader_of(one.resource_type))
    ]
    return list(totals.judge(found, allowed(args.get_config()), datetime.now(UTC)))


def total_policy(total: totals.Total, outcome: ruleset.Outcome) -> StackValidationPolicy:
    """What cannot be added up blocks nothing; a policy has one level, so that is a policy of its own."""
    sure = outcome is ruleset.Outcome.VIOLATION

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for finding in of_stack(args):
            if (finding.rule, finding.outcome) == (total.name, outcome):
                report(str(finding), None)

    return StackValidationPolicy(
        name=total.name if sure else total.not_known, description=total.help, config_schema=SCHEMA,
        enforcement_level=LEVELS[total.level] if sure else EnforcementLevel.ADVISORY, validate=validate,
    )  # fmt: skip


def say_not_checked(args: ResourceValidationArgs, report: ReportViolation) -> None:
    if readers.could_carry(args.resource_type, plain(args.props)):
        report(f"{args.name}: {args.resource_type} could carry a machine, and the rules cannot read it", None)


NOT_CHECKED = ResourceValidationPolicy(
    name=packs.UNCHECKED, description="What could carry a machine and is not judged.",
    enforcement_level=EnforcementLevel.ADVISORY, validate=say_not_checked,
)  # fmt: skip


if __name__ == "__main__":  # PolicyPack() never returns
    whole = [total_policy(total, ruleset.Outcome.VIOLATION) for total in totals.TOTALS]
    unknown = [total_policy(total, ruleset.Outcome.UNKNOWN) for total in totals.TOTALS if total.adds_up]
    sdk._PolicyAnalyzerServicer = Strict  # pyright: ignore[reportPrivateUsage]
    PolicyPack("accelctl", policies=[*map(policy, ruleset.RULES), *whole, *unknown, NOT_CHECKED])
