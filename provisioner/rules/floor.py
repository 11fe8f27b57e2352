"""Facts of what lets people and machines in: doors that stand open to everybody, roles that may do everything."""

import json
from collections.abc import Callable, Iterable
from ipaddress import ip_network
from typing import Any, cast

from provisioner.rules.aws import Inputs, at, listed
from provisioner.rules.facts import UNKNOWN, Facts, Part

ANYBODY = {"0.0.0.0/0", "::/0", "*", "Internet", "Any"}
OWN = {4: 8, 6: 16}
"""The shortest prefix of a network that is somebody's, by the version of IP: 10.0.0.0/8 is one."""
SSH = 22
OPEN = "ssh is open to everybody; let in a proxy, an endpoint or a network of yours"
ALL = "it may do everything, or everything of a service, with whatever there is; name the actions, or the resources"
ALMIGHTY = {"roles/owner", "roles/editor"}
MIGHTY = ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess")
"""AWS's own policies with which everything can be had."""


def door(subject: str, cloud: str, opened: Any) -> Facts:
    return Facts(subject=subject, cloud=cloud, instance_types=(), part=Part.NETWORK, fault=said(opened, OPEN))


def role(subject: str, cloud: str, mighty: Any) -> Facts:
    return Facts(subject=subject, cloud=cloud, instance_types=(), part=Part.IDENTITY, fault=said(mighty, ALL))


def said(wrong: Any, what: str) -> Any:
    return UNKNOWN if wrong is UNKNOWN else what if wrong else ""


def some(verdicts: Iterable[Any]) -> Any:
    """True where one is; UNKNOWN where none is and one may be."""
    found = list(verdicts)
    return True if True in found else UNKNOWN if UNKNOWN in found else False


def both(*verdicts: Any) -> Any:
    """False where one is; UNKNOWN where none is and one may be."""
    return False if False in verdicts else UNKNOWN if UNKNOWN in verdicts else True


def anybody(sources: Any) -> Any:
    found = listed(sources)
    if found is UNKNOWN:
        return UNKNOWN
    return some(UNKNOWN if one is UNKNOWN else one in ANYBODY or everybodys(one) for one in found)


def everybodys(source: Any) -> bool:
    """A network so wide that it is nobody's own: half of the Internet twice is all of it."""
    try:
        network = ip_network(str(source), strict=False)
    except ValueError:
        return False
    return network.prefixlen < OWN[network.version]


def reaches_ssh(protocol: Any, first: Any, last: Any) -> Any:
    if UNKNOWN in (protocol, first, last):
        return UNKNOWN
    return str(protocol) in ("-1", "all") or (str(protocol) in ("tcp", "6") and int(first) <= SSH <= int(last))


def lets_in(rule: Any) -> Any:
    """One rule of a security group, whichever of its shapes it has."""
    cidrs = [*listed_or_unknown(rule, "cidrBlocks"), *listed_or_unknown(rule, "ipv6CidrBlocks"),
             at(rule, "cidrIpv4"), at(rule, "cidrIpv6")]  # fmt: skip
    protocol = at(rule, "protocol", default=at(rule, "ipProtocol", default="-1"))
    return both(anybody(cidrs), reaches_ssh(protocol, at(rule, "fromPort", default=0), at(rule, "toPort", default=0)))


def listed_or_unknown(rule: Any, name: str) -> list[Any]:
    found = listed(at(rule, name))
    return [UNKNOWN] if found is UNKNOWN else found


def security_group(subject: str, inputs: Inputs) -> Facts:
    rules = listed(at(inputs, "ingress"))
    return door(subject, "aws", UNKNOWN if rules is UNKNOWN else some(map(lets_in, rules)))


def group_rule(subject: str, inputs: Inputs) -> Facts:
    return door(subject, "aws", lets_in(inputs) if at(inputs, "type", default="ingress") == "ingress" else False)


def firewall(subject: str, inputs: Inputs) -> Facts:
    """Google's: without a source of any kind it is everybody's."""
    narrowed = any(at(inputs, name) for name in ("sourceTags", "sourceServiceAccounts"))
    ranges = at(inputs, "sourceRanges", default=[] if narrowed else ["0.0.0.0/0"])
    allows = listed(at(inputs, "allows"))
    inward = at(inputs, "direction", default="INGRESS") != "EGRESS"
    ports: Any = UNKNOWN if allows is UNKNOWN else some(map(google_ssh, allows))
    return door(subject, "gcp", both(inward, anybody(ranges), ports))


def google_ssh(allow: Any) -> Any:
    protocol, ports = at(allow, "protocol"), listed(at(allow, "ports"))
    if UNKNOWN in (protocol, ports):
        return UNKNOWN
    held = cast("list[Any]", ports)
    if UNKNOWN in held:
        return UNKNOWN
    return protocol == "all" or (protocol in ("tcp", "6") and (not held or any(map(holds_ssh, held))))


def holds_ssh(ports: Any) -> bool:
    """A port, a range of them, or a star."""
    first, _, last = str(ports).partition("-")
    return first == "*" or int(first) <= SSH <= int(last or first)


def azure_group(subject: str, inputs: Inputs) -> Facts:
    rules = listed(at(inputs, "securityRules"))
    return door(subject, "azure", UNKNOWN if rules is UNKNOWN else some(map(azure_lets_in, rules)))


def azure_rule(subject: str, inputs: Inputs) -> Facts:
    return door(subject, "azure", azure_lets_in(inputs))


def azure_lets_in(rule: Any) -> Any:
    told = [at(rule, "access"), at(rule, "direction"), at(rule, "protocol", default="*")]
    ports = [*listed_or_unknown(rule, "destinationPortRanges"), at(rule, "destinationPortRange")]
    if UNKNOWN in told or UNKNOWN in ports:
        return UNKNOWN
    inward = told[:2] == ["Allow", "Inbound"] and str(told[2]).lower() in ("*", "tcp")
    sources = [*listed_or_unknown(rule, "sourceAddressPrefixes"), at(rule, "sourceAddressPrefix")]
    return both(inward, anybody(sources), any(holds_ssh(one) for one in ports if one is not None))


def policy(subject: str, inputs: Inputs) -> Facts:
    return role(subject, "aws", allows_all(at(inputs, "policy")))


def allows_all(text: Any) -> Any:
    """Of a policy's document."""
    if text is UNKNOWN:
        return UNKNOWN
    try:
        document = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return False
    return any(map(almighty, several(at(document, "Statement"))))


def almighty(statement: Any) -> bool:
    """Everything, everything of a service, or everything but something; on whatever there is, or nearly."""
    if at(statement, "Effect") != "Allow" or at(statement, "Condition"):
        return False
    wild = any(str(one) == "*" or str(one).endswith(":*") for one in several(at(statement, "Action")))
    everywhere = "*" in several(at(statement, "Resource")) or at(statement, "NotResource") is not None
    return everywhere and (wild or at(statement, "NotAction") is not None)


def whole_role(subject: str, inputs: Inputs) -> Facts:
    """With what is written into it, and what it is given beside that."""
    inline, arns = listed(at(inputs, "inlinePolicies")), listed(at(inputs, "managedPolicyArns"))
    texts: Any = [UNKNOWN] if inline is UNKNOWN else [allows_all(at(one, "policy")) for one in inline]
    given: Any = [UNKNOWN] if arns is UNKNOWN else [mighty(one) for one in arns]
    return role(subject, "aws", some([*texts, *given]))


def several(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [] if value is None else [value]


def attachment(subject: str, inputs: Inputs) -> Facts:
    several_of_them = listed(at(inputs, "policyArns"))
    arns: Any = [UNKNOWN] if several_of_them is UNKNOWN else [*several_of_them, at(inputs, "policyArn", default="")]
    return role(subject, "aws", some(map(mighty, arns)))


def mighty(arn: Any) -> Any:
    return UNKNOWN if arn is UNKNOWN else str(arn).endswith(tuple(f":aws:policy/{name}" for name in MIGHTY))


def google_member(subject: str, inputs: Inputs) -> Facts:
    given = at(inputs, "role", default="")
    return role(subject, "gcp", UNKNOWN if given is UNKNOWN else given in ALMIGHTY)


READERS: dict[str, Callable[[str, Inputs], Facts]] = {
    "aws:ec2/securityGroup:SecurityGroup": security_group,
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": security_group,
    "aws:ec2/securityGroupRule:SecurityGroupRule": group_rule,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": group_rule,
    "gcp:compute/firewall:Firewall": firewall,
    "azure-native:network:NetworkSecurityGroup": azure_group,
    "azure-native:network:SecurityRule": azure_rule,
    "aws:iam/role:Role": whole_role,
    "aws:iam/policy:Policy": policy,
    "aws:iam/rolePolicy:RolePolicy": policy,
    "aws:iam/userPolicy:UserPolicy": policy,
    "aws:iam/groupPolicy:GroupPolicy": policy,
    "aws:iam/policyAttachment:PolicyAttachment": attachment,
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": attachment,
    "aws:iam/userPolicyAttachment:UserPolicyAttachment": attachment,
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment": attachment,
    "aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive": attachment,
    "aws:iam/userPolicyAttachmentsExclusive:UserPolicyAttachmentsExclusive": attachment,
    "aws:iam/groupPolicyAttachmentsExclusive:GroupPolicyAttachmentsExclusive": attachment,
    "gcp:projects/iAMMember:IAMMember": google_member,
}
"""By the type's token."""
