"""The actions and resources that a call needs, by IAM's service authorization reference."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from infra.emulator.rights import dynamodb, s3
from infra.emulator.rights.call import Call
from infra.emulator.rights.policy import NeededRight
from infra.emulator.settings import ACCOUNT, arn
from infra.emulator.states.tokens import machine_of

_TO_TASKS = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
_LINKED_ROLE = (
    f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/datasync.amazonaws.com/AWSServiceRoleForDataSync"
)
_LOOKING = (
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "elasticfilesystem:DescribeAccessPoints",
    "elasticfilesystem:DescribeFileSystems",
    "elasticfilesystem:DescribeMountTargets",
)
_INTERFACES = (
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:ModifyNetworkInterfaceAttribute",
)
IN_THE_CALLERS_NAME = {
    "CreateLocationEfs": _LOOKING,
    "CreateTask": _INTERFACES,
    "DeleteTask": _INTERFACES,
    "StartTaskExecution": _INTERFACES,
}
"""Operation → actions that DataSync checks with the rights of its caller.

AWS's policy AWSDataSyncFullAccess lists them.
"""


class Needs:
    """Finds out what the calls in one deployment need."""

    def __init__(
        self,
        roles_of_tasks: Mapping[str, Sequence[str]],
        websocket_api: str,
        own_bucket: str,
        tags_of: Callable[[str], Mapping[str, str]] = lambda _arn: {},
    ) -> None:
        """Create the rules.

        ``roles_of_tasks`` holds the ARNs of a task definition's task role and execution role, by
        its family. ``websocket_api`` is the id of the one WebSocket API. Access to ``own_bucket``
        is DataSync's own role's, not its caller's. ``tags_of`` returns the tags of DataSync's
        resources by their ARN.
        """
        self._roles_of_tasks = roles_of_tasks
        self._websocket_api = websocket_api
        self._own_bucket = f"arn:aws:s3:::{own_bucket}"
        self._tags_of = tags_of
        self._services: Mapping[str, Callable[[Call], Iterator[NeededRight]]] = {
            "dynamodb": dynamodb.needs,
            "s3": s3.needs,
            "states": self._states,
            "ecs": self._ecs,
            "lambda": self._lambda,
            "execute-api": self._connections,
            "events": self._events,
            "sns": self._sns,
            "sqs": self._sqs,
            "datasync": self._datasync,
            "secretsmanager": self._secrets,
            "logs": self._logs,
            "sts": self._sts,
        }

    def of(self, call: Call) -> tuple[NeededRight, ...]:
        """Return everything that the call must be allowed; raise :class:`NotMapped`."""
        service = self._services.get(call.service)
        if service is None:
            raise call.not_mapped()
        return tuple(service(call))

    def _states(self, call: Call) -> Iterator[NeededRight]:
        parameters, action = call.parameters, f"states:{call.operation}"
        match call.operation:
            case (
                "StartExecution" | "StartSyncExecution" | "DescribeStateMachine" | "ListExecutions"
            ):
                yield NeededRight(action, parameters["stateMachineArn"])
            case "DescribeExecution" | "StopExecution" | "GetExecutionHistory":
                yield NeededRight(action, parameters["executionArn"])
            case "SendTaskSuccess" | "SendTaskFailure" | "SendTaskHeartbeat":
                machine = machine_of(parameters.get("taskToken", ""))
                yield NeededRight(action, arn("states", f"stateMachine:{machine}"))
            case "ListStateMachines":
                yield NeededRight(action, "*")
            case _:
                raise call.not_mapped()

    def _ecs(self, call: Call) -> Iterator[NeededRight]:
        parameters = call.parameters
        cluster = arn("ecs", f"cluster/{parameters.get('cluster', 'default').rpartition('/')[2]}")
        context = {"ecs:cluster": cluster}

        def task(name: str) -> str:
            return (
                name
                if name.startswith("arn:")
                else arn("ecs", f"task/{cluster.rpartition('/')[2]}/{name}")
            )

        match call.operation:
            case "RunTask":
                family, _, revision = (
                    parameters.get("taskDefinition", "").rpartition("/")[2].partition(":")
                )
                yield NeededRight(
                    "ecs:RunTask",
                    arn("ecs", f"task-definition/{family}:{revision or 1}"),
                    context,
                )
                for role in self._roles_of(family, parameters.get("overrides", {})):
                    yield NeededRight("iam:PassRole", role, _TO_TASKS)
                if parameters.get("tags") or parameters.get("propagateTags", "NONE") != "NONE":
                    yield NeededRight("ecs:TagResource", task("*"), {"ecs:CreateAction": "RunTask"})
            case "StopTask":
                yield NeededRight("ecs:StopTask", task(parameters.get("task", "")), context)
            case "DescribeTasks":
                for name in parameters.get("tasks", ()):
                    yield NeededRight("ecs:DescribeTasks", task(name), context)
            case "ListTasks":
                yield NeededRight("ecs:ListTasks", "*", context)
            case _:
                raise call.not_mapped()

    def _roles_of(self, family: str, overrides: Mapping[str, str]) -> Iterator[str]:
        """Yield the ARNs of a task's roles: the container's, and the one for starting it."""
        if (declared := self._roles_of_tasks.get(family)) is not None:
            task, execution = declared
            yield overrides.get("taskRoleArn") or task
            yield overrides.get("executionRoleArn") or execution

    def _lambda(self, call: Call) -> Iterator[NeededRight]:
        if call.operation != "Invoke":
            raise call.not_mapped()
        name = unquote(call.path.split("/")[3]).split(":function:")[-1]
        yield NeededRight("lambda:InvokeFunction", arn("lambda", f"function:{name}"))

    def _connections(self, call: Call) -> Iterator[NeededRight]:
        stage, _, rest = call.path.lstrip("/").partition("/")
        resource = f"{self._websocket_api}/{stage}/{call.method}/{unquote(rest)}"
        yield NeededRight("execute-api:ManageConnections", arn("execute-api", resource))

    def _events(self, call: Call) -> Iterator[NeededRight]:
        if call.operation != "PutEvents":
            raise call.not_mapped()
        buses = {
            entry.get("EventBusName", "default").rpartition("/")[2]
            for entry in call.parameters.get("Entries", ())
        }
        for bus in sorted(buses):
            yield NeededRight("events:PutEvents", arn("events", f"event-bus/{bus}"))

    def _sns(self, call: Call) -> Iterator[NeededRight]:
        form = call.form
        action, topic = form.get("Action", ""), form.get("TopicArn")
        if (
            action
            not in (
                "Publish",
                "PublishBatch",
                "Subscribe",
                "ListSubscriptionsByTopic",
                "GetTopicAttributes",
            )
            or topic is None
        ):
            raise call.not_mapped()
        yield NeededRight(f"sns:{'Publish' if action == 'PublishBatch' else action}", topic)

    def _sqs(self, call: Call) -> Iterator[NeededRight]:
        known = (
            "SendMessage",
            "ReceiveMessage",
            "DeleteMessage",
            "GetQueueAttributes",
            "ChangeMessageVisibility",
            "GetQueueUrl",
        )
        parameters, operation = call.parameters, call.operation.removesuffix("Batch")
        if operation not in known:
            raise call.not_mapped()
        queue = parameters.get("QueueUrl", "").rpartition("/")[2] or parameters.get("QueueName", "")
        yield NeededRight(f"sqs:{operation}", arn("sqs", queue))

    def _datasync(self, call: Call) -> Iterator[NeededRight]:
        parameters, action = call.parameters, f"datasync:{call.operation}"
        match call.operation:
            case "StartTaskExecution" | "DescribeTask" | "UpdateTask" | "DeleteTask":
                yield self._of_datasync(action, parameters["TaskArn"])
                yield from _tagging(parameters, f"{parameters['TaskArn']}/execution/*")
            case "DeleteLocation":
                yield self._of_datasync(action, parameters["LocationArn"])
            case "CreateLocationS3" | "CreateLocationEfs" | "CreateTask":
                yield NeededRight(action, "*", _asked_tags(parameters))
                kind = "task" if call.operation == "CreateTask" else "location"
                yield from _tagging(parameters, arn("datasync", f"{kind}/*"))
                if parameters.get("TaskMode") == "ENHANCED":
                    context = {"iam:AWSServiceName": "datasync.amazonaws.com"}
                    yield NeededRight("iam:CreateServiceLinkedRole", _LINKED_ROLE, context)
                bucket = parameters.get("S3BucketArn", self._own_bucket)
                if bucket != self._own_bucket:
                    yield NeededRight("s3:ListBucket", bucket)
                config = parameters.get("S3Config", {})
                for role in (
                    config.get("BucketAccessRoleArn"),
                    parameters.get("FileSystemAccessRoleArn"),
                ):
                    if role:
                        yield NeededRight(
                            "iam:PassRole", role, {"iam:PassedToService": "datasync.amazonaws.com"}
                        )
            case "DescribeTaskExecution" | "CancelTaskExecution":
                yield self._of_datasync(action, parameters["TaskExecutionArn"])
            case "ListTaskExecutions":
                yield NeededRight(action, parameters.get("TaskArn", "*"))
            case "ListTasks":
                yield NeededRight(action, "*")
            case _:
                raise call.not_mapped()
        yield from (NeededRight(done, "*") for done in IN_THE_CALLERS_NAME.get(call.operation, ()))

    def _of_datasync(self, action: str, resource: str) -> NeededRight:
        tags = self._tags_of(resource)
        return NeededRight(
            action, resource, {f"aws:ResourceTag/{name}": value for name, value in tags.items()}
        )

    def _secrets(self, call: Call) -> Iterator[NeededRight]:
        parameters, operation = call.parameters, call.operation
        if operation not in (
            "GetSecretValue",
            "DescribeSecret",
            "PutSecretValue",
            "UpdateSecretVersionStage",
            "UpdateSecret",
            "DeleteSecret",
        ):
            raise call.not_mapped()
        name = parameters.get("SecretId", "")
        # A secret's ARN ends with six random characters.
        secret = name if name.startswith("arn:") else arn("secretsmanager", f"secret:{name}-??????")
        yield NeededRight(f"secretsmanager:{operation}", secret)

    def _logs(self, call: Call) -> Iterator[NeededRight]:
        parameters, operation = call.parameters, call.operation
        group = (
            parameters.get("logGroupName")
            or parameters.get("logGroupIdentifier", "").rpartition("log-group:")[2]
        )
        match operation:
            case "PutLogEvents" | "CreateLogStream" | "GetLogEvents" | "DeleteLogStream":
                stream = parameters.get("logStreamName", "")
            case (
                "CreateLogGroup"
                | "DescribeLogStreams"
                | "FilterLogEvents"
                | "PutRetentionPolicy"
                | "DeleteLogGroup"
            ):
                stream = ""
            case "DescribeLogGroups":
                yield NeededRight("logs:DescribeLogGroups", "*")
                return
            case _:
                raise call.not_mapped()
        yield NeededRight(
            f"logs:{operation}", arn("logs", f"log-group:{group}:log-stream:{stream}")
        )

    def _sts(self, call: Call) -> Iterator[NeededRight]:
        match call.form.get("Action"):
            case "AssumeRole":
                yield NeededRight("sts:AssumeRole", call.form.get("RoleArn", ""))
            case "GetCallerIdentity":  # which is allowed to everybody
                return
            case _:
                raise call.not_mapped()


def _asked_tags(parameters: Mapping[str, Any]) -> dict[str, str]:
    return {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in parameters.get("Tags", ())}


def _tagging(parameters: Mapping[str, Any], resource: str) -> Iterator[NeededRight]:
    """Yield what DataSync needs beside the creating action if the new resource gets tags."""
    if asked := _asked_tags(parameters):
        yield NeededRight("datasync:TagResource", resource, asked)
