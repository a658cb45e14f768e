"""Whether services can take on the roles that are declared for them: trust policies, judged as STS does."""

from collections.abc import Mapping
from typing import Any

from infra.declared import Place, Role
from infra.declared.rights import SOURCE_ACCOUNT
from infra.local.errors import LocalStackError
from infra.local.rights.policy import Need, Policy, Verdict

_TELL_NO_ACCOUNT = frozenset({"lambda.amazonaws.com"})
"""Services that take roles on without saying for which account."""


class CannotBeTaken(LocalStackError):
    """A role's trust policy does not let its service take the role on."""


def check_trust(role: Role, place: Place) -> None:
    """Raise :class:`CannotBeTaken` when the role's service, acting for the deployment's account, may not take it on."""
    if not trusts(role.trust(place.account), role.service, place.account):
        raise CannotBeTaken(f"{place.role_name(role.name)}: its trust policy does not let {role.service} take it on")


def trusts(document: Mapping[str, Any], service: str, account: str) -> bool:
    """Say whether a trust policy lets a service take the role on when it acts for an account."""
    statements = [statement for statement in document["Statement"] if statement["Principal"] == {"Service": service}]
    policy = Policy({"Statement": [{**{name: one[name] for name in one if name != "Principal"}, "Resource": "*"} for one in statements]})
    context = {} if service in _TELL_NO_ACCOUNT else {SOURCE_ACCOUNT: account}
    return policy.decide(Need("sts:AssumeRole", "*", context)).verdict is Verdict.ALLOWED
