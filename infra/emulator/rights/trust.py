"""Check whether services can assume the roles declared for them.

Trust policies are evaluated like in STS.
"""

from collections.abc import Mapping
from typing import Any

from infra.emulator.errors import EmulatorError
from infra.emulator.rights.policy import NeededRight, Policy, PolicyVerdict
from infra.emulator.rights.role import RoleDocuments
from infra.emulator.settings import ACCOUNT

SOURCE_ACCOUNT = "aws:SourceAccount"
_TELL_NO_ACCOUNT = frozenset({"lambda.amazonaws.com"})
"""Services that assume roles without saying for which account."""


class CannotBeTaken(EmulatorError):
    """A role's trust policy does not let its service assume the role."""


def check_trust(role: RoleDocuments) -> None:
    """Raise :class:`CannotBeTaken` if the role's service may not assume it for the account."""
    if not trusts(role.trust, role.service, ACCOUNT):
        raise CannotBeTaken(
            f"{role.full_name}: its trust policy does not let {role.service} take it on"
        )


def trusts(document: Mapping[str, Any], service: str, account: str) -> bool:
    """Return whether a trust policy lets a service assume the role on behalf of an account."""
    statements = [
        statement
        for statement in document["Statement"]
        if statement["Principal"] == {"Service": service}
    ]
    policy = Policy(
        {
            "Statement": [
                {**{name: one[name] for name in one if name != "Principal"}, "Resource": "*"}
                for one in statements
            ]
        }
    )
    context = {} if service in _TELL_NO_ACCOUNT else {SOURCE_ACCOUNT: account}
    return (
        policy.decide(NeededRight("sts:AssumeRole", "*", context)).verdict is PolicyVerdict.ALLOWED
    )
