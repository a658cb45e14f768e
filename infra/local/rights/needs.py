"""The actions and resources that a call needs, by IAM's service authorization reference."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from infra.declared import Declared, Place, TaskDefinition
from infra.declared.syncs import IN_THE_CALLERS_NAME, linked_role_arn
from infra.declared.tasks import TASK_EXECUTION_ROLE
from infra.local.rights import dynamodb, s3
from infra.local.rights.call import Call
from infra.local.rights.policy import Need
from infra.local.tokens import machine_of

_TO_TASKS = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}


class Needs:
    """Finds out what the calls in one deployment need."""

    def __init__(
        self,
        declared: Declared,
        place: Place,
        tags_of: Callable[[str], Mapping[str, str]] = lambda _arn: {},
    ) -> None:
        """Create the rules; ``tags_of`` returns the tags of DataSync's resources by their ARN."""
        self._place = place
        self._tags_of = tags_of
        self._definitions = {
            place.name(definition.name): definition for definition in declared.task_definitions
        }
        self._services: Mapping[str, Callable[[Call], Iterator[Need]]] = {
            "dynamodb": lambda call: dynamodb.needs(call, place),
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

    def of(self, call: Call) -> tuple[Need, ...]:
        """Return everything that the call must be allowed; raise :class:`NotMapped`."""
        service = self._services.get(call.service)
        if service is None:
            raise call.not_mapped()
        return tuple(service(call))

    def _states(self, call: Call) -> Iterator[Need]:
        parameters, action = call.parameters, f"states:{call.operation}"
        match call.operation:
            case (
                "StartExecution" | "StartSyncExecution" | "DescribeStateMachine" | "ListExecutions"
            ):
                yield Need(action, parameters["stateMachineArn"])
            case "DescribeExecution" | "StopExecution" | "GetExecutionHistory":
                yield Need(action, parameters["executionArn"])
            case "SendTaskSuccess" | "SendTaskFailure" | "SendTaskHeartbeat":
                machine = machine_of(parameters.get("taskToken", ""))
                yield Need(action, self._place.arn("states", f"stateMachine:{machine}"))
            case "ListStateMachines":
                yield Need(action, "*")
            case _:
                raise call.not_mapped()

    def _ecs(self, call: Call) -> Iterator[Need]:
        parameters, place = call.parameters, self._place
        cluster = place.arn(
            "ecs", f"cluster/{parameters.get('cluster', 'default').rpartition('/')[2]}"
        )
        context = {"ecs:cluster": cluster}

        def task(name: str) -> str:
            return (
                name
                if name.startswith("arn:")
                else place.arn("ecs", f"task/{cluster.rpartition('/')[2]}/{name}")
            )

        match call.operation:
            case "RunTask":
                family, _, revision = (
                    parameters.get("taskDefinition", "").rpartition("/")[2].partition(":")
                )
                yield Need(
                    "ecs:RunTask",
                    place.arn("ecs", f"task-definition/{family}:{revision or 1}"),
                    context,
                )
                for role in self._roles_of(
                    self._definitions.get(family), parameters.get("overrides", {})
                ):
                    yield Need("iam:PassRole", role, _TO_TASKS)
                if parameters.get("tags") or parameters.get("propagateTags", "NONE") != "NONE":
                    yield Need("ecs:TagResource", task("*"), {"ecs:CreateAction": "RunTask"})
            case "StopTask":
                yield Need("ecs:StopTask", task(parameters.get("task", "")), context)
            case "DescribeTasks":
                for name in parameters.get("tasks", ()):
                    yield Need("ecs:DescribeTasks", task(name), context)
            case "ListTasks":
                yield Need("ecs:ListTasks", "*", context)
            case _:
                raise call.not_mapped()

    def _roles_of(
        self, definition: TaskDefinition | None, overrides: Mapping[str, str]
    ) -> Iterator[str]:
        """Yield the ARNs of a task's roles: the container's, and the one for starting it."""
        if definition is not None:
            yield overrides.get("taskRoleArn") or self._place.role_arn(definition.role)
            yield overrides.get("executionRoleArn") or self._place.role_arn(TASK_EXECUTION_ROLE)

    def _lambda(self, call: Call) -> Iterator[Need]:
        if call.operation != "Invoke":
            raise call.not_mapped()
        name = unquote(call.path.split("/")[3]).split(":function:")[-1]
        yield Need("lambda:InvokeFunction", self._place.arn("lambda", f"function:{name}"))

    def _connections(self, call: Call) -> Iterator[Need]:
        stage, _, rest = call.path.lstrip("/").partition("/")
        resource = f"{self._place.websocket_api}/{stage}/{call.method}/{unquote(rest)}"
        yield Need("execute-api:ManageConnections", self._place.arn("execute-api", resource))

    def _events(self, call: Call) -> Iterator[Need]:
        if call.operation != "PutEvents":
            raise call.not_mapped()
        buses = {
            entry.get("EventBusName", "default").rpartition("/")[2]
            for entry in call.parameters.get("Entries", ())
        }
        for bus in sorted(buses):
            yield Need("events:PutEvents", self._place.arn("events", f"event-bus/{bus}"))

    def _sns(self, call: Call) -> Iterator[Need]:
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
        yield Need(f"sns:{'Publish' if action == 'PublishBatch' else action}", topic)

    def _sqs(self, call: Call) -> Iterator[Need]:
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
        yield Need(f"sqs:{operation}", self._place.arn("sqs", queue))

    def _datasync(self, call: Call) -> Iterator[Need]:
        parameters, action = call.parameters, f"datasync:{call.operation}"
        match call.operation:
            case "StartTaskExecution" | "DescribeTask" | "UpdateTask" | "DeleteTask":
                yield self._of_datasync(action, parameters["TaskArn"])
                yield from _tagging(parameters, f"{parameters['TaskArn']}/execution/*")
            case "DeleteLocation":
                yield self._of_datasync(action, parameters["LocationArn"])
            case "CreateLocationS3" | "CreateLocationEfs" | "CreateTask":
                yield Need(action, "*", _asked_tags(parameters))
                kind = "task" if call.operation == "CreateTask" else "location"
                yield from _tagging(parameters, self._place.arn("datasync", f"{kind}/*"))
                if parameters.get("TaskMode") == "ENHANCED":
                    context = {"iam:AWSServiceName": "datasync.amazonaws.com"}
                    yield Need("iam:CreateServiceLinkedRole", linked_role_arn(self._place), context)
                bucket = parameters.get("S3BucketArn", self._place.bucket_arn())
                if bucket != self._place.bucket_arn():
                    yield Need("s3:ListBucket", bucket)
                config = parameters.get("S3Config", {})
                for role in (
                    config.get("BucketAccessRoleArn"),
                    parameters.get("FileSystemAccessRoleArn"),
                ):
                    if role:
                        yield Need(
                            "iam:PassRole", role, {"iam:PassedToService": "datasync.amazonaws.com"}
                        )
            case "DescribeTaskExecution" | "CancelTaskExecution":
                yield self._of_datasync(action, parameters["TaskExecutionArn"])
            case "ListTaskExecutions":
                yield Need(action, parameters.get("TaskArn", "*"))
            case "ListTasks":
                yield Need(action, "*")
            case _:
                raise call.not_mapped()
        yield from (Need(done, "*") for done in IN_THE_CALLERS_NAME.get(call.operation, ()))

    def _of_datasync(self, action: str, arn: str) -> Need:
        return Need(
            action,
            arn,
            {f"aws:ResourceTag/{name}": value for name, value in self._tags_of(arn).items()},
        )

    def _secrets(self, call: Call) -> Iterator[Need]:
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
        arn = (
            name
            if name.startswith("arn:")
            else self._place.arn("secretsmanager", f"secret:{name}-??????")
        )
        yield Need(f"secretsmanager:{operation}", arn)

    def _logs(self, call: Call) -> Iterator[Need]:
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
                yield Need("logs:DescribeLogGroups", "*")
                return
            case _:
                raise call.not_mapped()
        yield Need(
            f"logs:{operation}", self._place.arn("logs", f"log-group:{group}:log-stream:{stream}")
        )

    def _sts(self, call: Call) -> Iterator[Need]:
        match call.form.get("Action"):
            case "AssumeRole":
                yield Need("sts:AssumeRole", call.form.get("RoleArn", ""))
            case "GetCallerIdentity":  # which is allowed to everybody
                return
            case _:
                raise call.not_mapped()


def _asked_tags(parameters: Mapping[str, Any]) -> dict[str, str]:
    return {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in parameters.get("Tags", ())}


def _tagging(parameters: Mapping[str, Any], arn: str) -> Iterator[Need]:
    """Yield what DataSync needs beside the creating action if the new resource gets tags."""
    if asked := _asked_tags(parameters):
        yield Need("datasync:TagResource", arn, asked)
