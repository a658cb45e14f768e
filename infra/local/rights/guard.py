"""The role of each caller; refuses forbidden calls, and records what was used and refused."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from infra.declared import Declared, Place
from infra.local.aws_errors import AwsError
from infra.local.keys import ADMIN
from infra.local.rights import s3
from infra.local.rights.call import Call, NotMapped
from infra.local.rights.needs import Needs
from infra.local.rights.policy import Need, Policy, Verdict
from infra.local.rights.refusal import denied, refusal
from infra.local.rights.trust import check_trust

_APP = "app-"
"""Prefix of the names of apps' roles."""


class Guard:
    """Checks every call against its caller's policy.

    The stack's owner (``admin``) may do everything.
    """

    def __init__(
        self,
        declared: Declared,
        place: Place,
        role_of_task: Callable[[str], str | None],
        tell: Callable[[str], None],
        policy_of_app: Callable[[str], Policy | None] = lambda _role: None,
        tags_of: Callable[[str], Mapping[str, str]] = lambda _arn: {},
    ) -> None:
        """Create the guard.

        ``role_of_task`` returns a task's role by the task's id. ``policy_of_app`` returns an app
        role's policy by its name. ``tags_of`` returns the tags of DataSync's resources by their
        ARN. ``tell`` gets a line about each refusal. Raise :class:`CannotBeTaken` for a role that
        its service cannot assume here.
        """
        self._place = place
        self._needs = Needs(declared, place, tags_of)
        self._roles = declared.roles(place)
        for role in self._roles.values():
            check_trust(role, place)
        self._policies = {name: Policy(role.policy()) for name, role in self._roles.items()}
        self._of_function = {
            place.function_name(function.name): function.role for function in declared.functions
        }
        self._of_machine = {machine.name: machine.role for machine in declared.state_machines}
        self._role_of_task = role_of_task
        self._policy_of_app = policy_of_app
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

    def require(self, role: str, needs: Iterable[Need]) -> None:
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
        return policy is not None and policy.decide(s3.listing(bucket)).verdict is Verdict.ALLOWED

    def role_of(self, principal: str) -> str | None:
        """Return the name of a principal's role."""
        kind, _, name = principal.partition(":")
        match kind:
            case "function":
                return self._of_function.get(name)
            case "task":
                return self._role_of_task(name)
            case "machine":
                return self._of_machine.get(name)
            case "service":
                return name if name in self._roles else None
            case "app":
                return _APP + name
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
                    f"{statement.sid} {action}"
                    for statement in role.statements
                    for action in statement.actions
                    if (statement.sid, action) not in used
                ],
            }
        return {"refused": dict(self._refused), "roles": roles}

    def _require(
        self, role: str | None, principal: str, service: str, needs: Iterable[Need]
    ) -> None:
        caller = f"arn:aws:sts::{self._place.account}:assumed-role/{self._place.role_name(role or 'none')}/{principal.replace(':', '-')}"  # noqa: E501
        policy = self._policy_of(role)
        if policy is None:
            raise denied(service, f"User: {caller} is not authorized: {principal} has no role")
        for need in needs:
            decision = policy.decide(need)
            if decision.verdict is not Verdict.ALLOWED:
                error: AwsError = refusal(service, caller, need, decision)
                self._note(principal, error.message)
                raise error
            self._used[role or ""][decision.sid or "", need.action] += 1

    def _policy_of(self, role: str | None) -> Policy | None:
        if role is not None and role.startswith(_APP):
            return self._policy_of_app(role.removeprefix(_APP))
        return self._policies.get(role or "")

    def _note(self, principal: str, message: str) -> None:
        if message not in self._refused:
            self._tell(f"refused to {principal}: {message}")
        self._refused[message] += 1
