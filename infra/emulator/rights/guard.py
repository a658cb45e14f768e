"""The role of each caller; refuses forbidden calls, and records what was used and refused."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from infra.emulator.aws_errors import AwsError
from infra.emulator.keys import ADMIN
from infra.emulator.rights import s3
from infra.emulator.rights.call import Call, NotMapped
from infra.emulator.rights.needs import Needs
from infra.emulator.rights.policy import NeededRight, Policy, PolicyVerdict, actions_of
from infra.emulator.rights.refusal import denied, refusal
from infra.emulator.rights.role import RoleDocuments
from infra.emulator.rights.trust import check_trust
from infra.emulator.settings import ACCOUNT

_FILE = "role:"
"""Prefix of the names of roles that are files."""


class Guard:
    """Checks every call against its caller's policy.

    The stack's owner (``admin``) may do everything.
    """

    def __init__(
        self,
        roles: Iterable[RoleDocuments],
        holders: Mapping[str, str],
        needs: Needs,
        role_of_task: Callable[[str], str | None],
        tell: Callable[[str], None],
        policy_of_file: Callable[[str], Policy | None] = lambda _role: None,
    ) -> None:
        """Create the guard.

        ``holders`` holds the name of the role of each ``function:<name>`` and ``machine:<name>``.
        ``needs`` knows what a call needs. ``role_of_task`` returns a task's role by the task's id.
        ``policy_of_file`` returns the policy of a role that is a file. ``tell`` gets a
        line about each refusal. Raise :class:`CannotBeTaken` for a role that its service cannot
        assume here.
        """
        self._needs = needs
        self._roles = {role.name: role for role in roles}
        for role in self._roles.values():
            check_trust(role)
        self._policies = {name: Policy(role.policy) for name, role in self._roles.items()}
        self._holders = holders
        self._role_of_task = role_of_task
        self._policy_of_file = policy_of_file
        self._tell = tell
        self._used: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        self._refused: Counter[str] = Counter()

    def check(self, principal: str, call: Call) -> None:
        """Return if the call is allowed; otherwise raise the service's own :class:`AwsError`."""
        if principal == ADMIN:
            return
        role = self.role_of(principal)
        try:
            needs = self._needs.of(call)
        except NotMapped as error:
            self._note(principal, str(error))
            raise denied(call.service, str(error)) from None
        self._require(role, principal, call.service, needs)

    def require(self, role: str, needs: Iterable[NeededRight]) -> None:
        """Check what AWS itself does in a role's name; raise :class:`AwsError`."""
        self._require(role, role, "states", needs)

    def may_know_absence(self, principal: str, call: Call) -> bool:
        """Return whether the caller of S3 may be told that an object does not exist.

        Other callers are told that access is denied.
        """
        if principal == ADMIN:
            return True
        bucket, _ = s3.bucket_and_key(call.path)
        policy = self._policy_of(self.role_of(principal))
        return (
            policy is not None
            and policy.decide(s3.listing(bucket)).verdict is PolicyVerdict.ALLOWED
        )

    def role_of(self, principal: str) -> str | None:
        """Return the name of a principal's role."""
        kind, _, name = principal.partition(":")
        match kind:
            case "function" | "machine":
                return self._holders.get(principal)
            case "task":
                return self._role_of_task(name)
            case "service":
                return name if name in self._roles else None
            case "role":
                return principal
        return None

    def report(self) -> dict[str, Any]:
        """Return the refused calls, and each role's used statements and unused actions.

        Statements come with the number of their uses.
        """
        roles = {}
        for name, role in self._roles.items():
            used = self._used[name]
            roles[name] = {
                "used": {f"{sid} {action}": count for (sid, action), count in sorted(used.items())},
                "unused": [
                    f"{sid} {action}"
                    for sid, action in actions_of(role.policy)
                    if (sid, action) not in used
                ],
            }
        return {"refused": dict(self._refused), "roles": roles}

    def _require(
        self, role: str | None, principal: str, service: str, needs: Iterable[NeededRight]
    ) -> None:
        known = self._roles.get(role or "")
        name = known.full_name if known is not None else (role or "none").rpartition("/")[2]
        caller = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{principal.replace(':', '-')}"
        policy = self._policy_of(role)
        if policy is None:
            raise denied(service, f"User: {caller} is not authorized: {principal} has no role")
        for need in needs:
            decision = policy.decide(need)
            if decision.verdict is not PolicyVerdict.ALLOWED:
                error: AwsError = refusal(service, caller, need, decision)
                self._note(principal, error.message)
                raise error
            self._used[role or ""][decision.sid or "", need.action] += 1

    def _policy_of(self, role: str | None) -> Policy | None:
        if role is not None and role.startswith(_FILE):
            return self._policy_of_file(role.removeprefix(_FILE))
        return self._policies.get(role or "")

    def _note(self, principal: str, message: str) -> None:
        if message not in self._refused:
            self._tell(f"refused to {principal}: {message}")
        self._refused[message] += 1
