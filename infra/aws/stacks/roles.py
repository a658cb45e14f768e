"""A role for each function, task, state machine and rule, from the declared statements.

This module adds only what AWS alone requires: the rights on the file system and those of ECS Exec.
The local stack cannot check these.
"""

from typing import Any

from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.aws.place import ACCOUNT, WEBSOCKET_API, aws_place, in_template
from infra.aws.settings import Stage
from infra.aws.stacks.base import SheenStack, accept
from infra.aws.stacks.data import DataStack
from infra.aws.stacks.storage import StorageStack
from infra.declared import Declared, IamRole, Mount
from infra.declared.names import camel

ANY_API = "*"
"""Stands for the WebSocket API until Chalice has made it."""
_EXEC = tuple(
    f"ssmmessages:{verb}{kind}Channel"
    for verb in ("Create", "Open")
    for kind in ("Control", "Data")
)


class RolesStack(SheenStack):
    """All roles.

    Other stacks refer to them by :meth:`infra.declared.Place.role_arn`. CloudFormation cannot
    delete an export before the stacks that import it.
    """

    def __init__(
        self,
        scope: Construct,
        stage: Stage,
        declared: Declared,
        data: DataStack,
        storage: StorageStack,
    ) -> None:
        super().__init__(
            scope, stage, "roles", "a role for each function, task, state machine and rule"
        )
        self._api = self.told(
            "WebsocketApi", "The WebSocket API's id, or * as long as there is none", default=ANY_API
        )
        self._data, self._storage = data, storage
        self.place = aws_place(stage, websocket_api=WEBSOCKET_API)
        tasks = {task.role for task in declared.task_definitions}
        mounts = declared.mounts(self.place)
        for name, role in declared.roles(self.place).items():
            self._add(role, mounts.get(name, ()), is_task=name in tasks)

    def _add(self, role: IamRole, mounts: tuple[Mount, ...], *, is_task: bool) -> None:
        document = in_template(role.policy(), {WEBSOCKET_API: self._api})
        document["Statement"] += self._file_rights(mounts)
        keys = [bucket.key for bucket in self.stage.data if bucket.key]
        if keys and any(statement.sid == "OtherData" for statement in role.statements):
            document["Statement"].append(
                {"Sid": "OtherKeys", "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": keys}
            )
        if is_task and self.stage.compute.exec:
            document["Statement"].append(
                {"Sid": "Exec", "Effect": "Allow", "Action": list(_EXEC), "Resource": "*"}
            )
        created = iam.CfnRole(
            self,
            camel(role.name),
            role_name=self.place.role_name(role.name),
            assume_role_policy_document=in_template(role.trust(ACCOUNT)),
            policies=[iam.CfnRole.PolicyProperty(policy_name="declared", policy_document=document)]
            if document["Statement"]
            else None,
        )
        for resource, reason in _wildcards(role).items():
            accept(created, f"IAM5[Resource::{resource}]", reason)
        if is_task and self.stage.compute.exec:
            accept(created, "IAM5[Resource::*]", "ECS Exec's actions take no resource")

    def _efs(self, resource: str) -> str:
        return f"arn:aws:elasticfilesystem:{self.region}:{self.account}:{resource}"

    def _file_rights(self, mounts: tuple[Mount, ...]) -> list[dict[str, Any]]:
        """Return the statements for mounts.

        Tasks mount access points as root. The agent gives each app's files to the app's own user.
        """
        rights = {
            "ReadFiles": (("ClientMount", "ClientRootAccess"), False),
            "Files": (("ClientMount", "ClientWrite", "ClientRootAccess"), True),
        }
        return [
            {
                "Sid": sid,
                "Effect": "Allow",
                "Action": [f"elasticfilesystem:{action}" for action in actions],
                "Resource": self._efs(f"file-system/{self._data.file_system.ref}"),
                "Condition": {"StringEquals": {"elasticfilesystem:AccessPointArn": points}},
            }
            for sid, (actions, writes) in rights.items()
            if (
                points := [
                    self._efs(f"access-point/{self._storage.access_points[each.root].ref}")
                    for each in mounts
                    if each.write is writes
                ]
            )
        ]


def _wildcards(role: IamRole) -> dict[str, str]:
    """Return the wildcard resources of a role, as cdk-nag writes them, with their reasons."""
    return {
        resource.replace(ACCOUNT, "<AWS::AccountId>").replace(
            WEBSOCKET_API, "<WebsocketApi>"
        ): statement.why or _NO_NAME
        for statement in role.statements
        for resource in statement.resources
        if "*" in resource
    }


_NO_NAME = (
    "what is meant has no name yet when the role is made: objects below a prefix, log "
    "streams, tasks, revisions"
)
"""Reason for a declared statement that ends in a wildcard and gives no reason of its own.

See :func:`infra.declared.rights.is_wide`.
"""
