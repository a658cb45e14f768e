"""The rights of components in AWS: IAM statements as data, and the roles that have them.

A statement names its actions and resources exactly. A wildcard may stand for something that has no
name yet (the end of an ARN: objects below a prefix, tasks of a cluster, connections of an API). A
statement with a wider wildcard must give its reason, or it cannot be made.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from chalicelib.aws.tables import Table
from infra.declared.file_system import Mount
from infra.declared.names import camel
from infra.declared.place import Place

Conditions = Mapping[str, Mapping[str, str | tuple[str, ...]]]
"""Operator (``StringEquals``, ``ArnLike``, …) → key → required value."""

SOURCE_ACCOUNT = "aws:SourceAccount"
"""Condition key for the account on whose behalf a service acts.

Without it, another account could make the service use a role (a confused deputy).
"""
_TELL_NO_ACCOUNT = frozenset({"lambda.amazonaws.com"})
"""Services that do not send the account when they assume a role."""
_ONLY_WHAT_HAS_NO_NAME = re.compile(r"arn:aws:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:[^*?]+[/:]\*")


class TooWide(ValueError):
    """A statement is too wide and does not say why."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy."""

    sid: str
    """Letters and digits; unique within its role."""
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Conditions = field(default_factory=dict)
    why: str = ""
    """The reason for a wildcard that covers more than the last part of an ARN."""
    effect: Literal["Allow", "Deny"] = "Allow"

    def __post_init__(self) -> None:
        """Raise :class:`TooWide`, or :class:`ValueError` if IAM would reject the statement."""
        if not re.fullmatch(r"[A-Za-z0-9]+", self.sid):
            raise ValueError(f"statement {self.sid!r}: a Sid has letters and digits only")
        if not self.actions or not self.resources:
            raise ValueError(f"statement {self.sid}: it names no action, or no resource")
        if self.effect == "Deny":
            return
        for action in self.actions:
            if not re.fullmatch(r"[a-z0-9-]+:[A-Za-z0-9]+", action):
                raise TooWide(
                    f"statement {self.sid}: action {action!r} must be one action, service:Name"
                )
        for resource in self.resources:
            if is_wide(resource) and not self.why:
                raise TooWide(
                    f"statement {self.sid}: resource {resource!r} has a wildcard that "
                    "stands for more than the last part of an ARN; "
                    "name the resource, or say in `why` what makes it impossible"
                )

    def document(self) -> dict[str, Any]:
        """Return the statement as IAM takes it."""
        document: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": self.effect,
            "Action": list(self.actions),
            "Resource": list(self.resources),
        }
        if self.conditions:
            document["Condition"] = {
                operator: {
                    key: list(value) if isinstance(value, tuple) else value
                    for key, value in keys.items()
                }
                for operator, keys in self.conditions.items()
            }
        return document


def is_wide(resource: str) -> bool:
    """Return whether a resource is ``*`` or has a wildcard outside the last part of its ARN."""
    return ("*" in resource or "?" in resource) and not _ONLY_WHAT_HAS_NO_NAME.fullmatch(resource)


@dataclass(frozen=True, slots=True)
class IamRole:
    """The identity of a component when it calls AWS."""

    name: str
    """Its name without the deployment's prefix.

    It is ``function-<name>``, ``task-<name>``, ``machine-<name>`` or ``rule-<name>``.
    """
    service: str
    """The service that assumes it, such as ``lambda.amazonaws.com``."""
    statements: tuple[Statement, ...]
    mounts: tuple[Mount, ...] = ()
    """Mounts of the file system, for a role that does not belong to a task."""

    def __post_init__(self) -> None:
        """Raise :class:`ValueError` if two statements have the same Sid, which IAM refuses."""
        sids = [statement.sid for statement in self.statements]
        if twice := {sid for sid in sids if sids.count(sid) > 1}:
            raise ValueError(
                f"role {self.name}: more than one statement is called {', '.join(sorted(twice))}"
            )

    def policy(self) -> dict[str, Any]:
        """Return its policy document."""
        return {
            "Version": "2012-10-17",
            "Statement": [statement.document() for statement in self.statements],
        }

    def trust(self, account: str) -> dict[str, Any]:
        """Return the trust policy: only the service may assume it, on behalf of this account."""
        statement: dict[str, Any] = {
            "Effect": "Allow",
            "Principal": {"Service": self.service},
            "Action": "sts:AssumeRole",
        }
        if self.service not in _TELL_NO_ACCOUNT:
            statement["Condition"] = {"StringEquals": {SOURCE_ACCOUNT: account}}
        return {"Version": "2012-10-17", "Statement": [statement]}


def nothing(_place: Place) -> Iterable[Statement]:
    """Allow nothing."""
    return ()


def merged(*statements: Statement) -> Iterable[Statement]:
    """Return statements for one role: of those with one Sid, the actions are put together.

    Raise :class:`ValueError` if two with one Sid differ in more than their actions.
    """
    found: dict[str, Statement] = {}
    for statement in statements:
        before = found.setdefault(statement.sid, statement)
        if replace(before, actions=statement.actions) != statement:
            raise ValueError(f"statement {statement.sid}: two differ in more than their actions")
        actions = dict.fromkeys((*before.actions, *statement.actions))
        found[statement.sid] = replace(before, actions=tuple(actions))
    return found.values()


def items(place: Place, model: type[Table], *operations: str) -> Statement:
    """Allow operations (such as ``GetItem``) on a model's table."""
    actions = tuple(f"dynamodb:{operation}" for operation in operations)
    return Statement(camel(model.short_name), actions, (place.table_arn(model.short_name),))


def index(place: Place, model: type[Table], name: str) -> Statement:
    """Allow queries of an index of a model's table."""
    arn = f"{place.table_arn(model.short_name)}/index/{name}"
    return Statement(
        f"{model.short_name.capitalize()}By{name.capitalize()}", ("dynamodb:Query",), (arn,)
    )


def stream(place: Place, model: type[Table]) -> Statement:
    """Allow reading the table's stream.

    Lambda reads a stream in the name of the function that it feeds.
    """
    actions = (
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
    )
    return Statement(
        f"{model.short_name.capitalize()}Stream",
        actions,
        (f"{place.table_arn(model.short_name)}/stream/*",),
    )


def objects(place: Place, prefix: str, *operations: str) -> Statement:
    """Allow operations (such as ``GetObject``) on the bucket's objects below a prefix."""
    actions = tuple(f"s3:{operation}" for operation in operations)
    return Statement(f"{camel(prefix)}Objects", actions, (f"{place.bucket_arn()}/{prefix}*",))


def tokens(
    place: Place, *machines: str, operations: tuple[str, ...] = ("Success", "Failure", "Heartbeat")
) -> Statement:
    """Allow answering the task tokens of state machines.

    IAM's reference lists no resource for these actions. Tokens of a state machine's own
    integrations are nevertheless checked against its ARN, as CDK's ``grantTaskResponse`` assumes.
    """
    return Statement(
        "Tokens",
        tuple(f"states:SendTask{operation}" for operation in operations),
        tuple(map(place.state_machine_arn, machines)),
    )


def start(place: Place, *machines: str) -> Statement:
    """Allow starting executions of state machines."""
    return Statement(
        "Start", ("states:StartExecution",), tuple(map(place.state_machine_arn, machines))
    )


def invoke(place: Place, *functions: str) -> Statement:
    """Allow invoking functions."""
    return Statement(
        "Invoke", ("lambda:InvokeFunction",), tuple(map(place.function_arn, functions))
    )


def connections(place: Place) -> Statement:
    """Allow posting to browsers and closing their connections."""
    unknown = (
        "Chalice makes the WebSocket API, after this role; its account, stage and method bound it"
    )
    return Statement(
        "Browsers",
        ("execute-api:ManageConnections",),
        (place.connections_arn("POST"), place.connections_arn("DELETE")),
        why=unknown if place.websocket_api == "*" else "",
    )
