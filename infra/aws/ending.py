"""End all running work before a deployment is taken down."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.syncs.transfers import ENDED
from infra.aws import transfers
from infra.aws.errors import DeployError
from infra.aws.transfers import pages
from infra.declared import Declared, Place

PATIENCE_SECONDS = 45 * 60
"""Lambda releases the network interfaces of deleted functions after 20 to 40 minutes."""
_WHY = "the deployment is being taken down"


def end_work(
    states: Any,
    ecs: Any,
    declared: Declared,
    place: Place,
    say: Callable[[str], None],
    sleep: Callable[[float], None],
) -> None:
    """Stop all executions of the state machines and all tasks of the cluster.

    Return when the tasks have stopped.
    """
    for machine in declared.state_machines:
        for execution in _executions(states, place.state_machine_arn(machine.name)):
            states.stop_execution(executionArn=execution, error="Destroyed", cause=_WHY)
    waited = 0.0
    while tasks := _tasks(ecs, place.cluster):
        say(f"  {len(tasks)} tasks are still running")
        for task in tasks:
            ecs.stop_task(cluster=place.cluster, task=task, reason=_WHY)
        waited = _wait(waited, 5, sleep, f"tasks of the cluster {place.cluster} do not stop")


def end_transfers(
    dynamodb: Any,
    datasync: Any,
    syncs: str,
    say: Callable[[str], None],
    sleep: Callable[[float], None],
) -> None:
    """Cancel running transfers, then delete DataSync's tasks and their locations.

    The rows of the table ``syncs`` name the tasks.
    """
    waited = 0.0
    for task in transfers.tasks(dynamodb, syncs):
        described = transfers.described(datasync, task)
        if described is None:
            continue
        while copying := [
            one
            for page in pages(datasync, "list_task_executions", TaskArn=task)
            for one in _copying(page)
        ]:
            say(f"  {task} is still copying")
            for execution in copying:
                _cancel(datasync, execution)
            waited = _wait(waited, 10, sleep, f"the DataSync task {task} does not stop copying")
        datasync.delete_task(TaskArn=task)
        for location in (described["SourceLocationArn"], described["DestinationLocationArn"]):
            datasync.delete_location(LocationArn=location)


def wait_for_interfaces(
    ec2: Any, groups: list[str], say: Callable[[str], None], sleep: Callable[[float], None]
) -> None:
    """Wait until the network interfaces in some security groups are released.

    Lambda, ECS and DataSync hold them.
    """
    waited = 0.0
    while interfaces := ec2.describe_network_interfaces(
        Filters=[{"Name": "group-id", "Values": groups}]
    )["NetworkInterfaces"]:
        say(
            f"  AWS has not given back {len(interfaces)} network interfaces yet; that "
            "takes up to forty minutes"
        )
        waited = _wait(
            waited,
            30,
            sleep,
            f"there are still network interfaces in the security groups {', '.join(groups)}",
        )


def _wait(waited: float, seconds: float, sleep: Callable[[float], None], otherwise: str) -> float:
    if waited >= PATIENCE_SECONDS:
        raise DeployError(f"{otherwise} after {PATIENCE_SECONDS // 60} minutes")
    sleep(seconds)
    return waited + seconds


def _executions(states: Any, machine: str) -> list[str]:
    try:
        found = pages(states, "list_executions", stateMachineArn=machine, statusFilter="RUNNING")
        return [execution["executionArn"] for page in found for execution in page["executions"]]
    except ClientError as error:
        if error.response["Error"]["Code"] == "StateMachineDoesNotExist":
            return []
        raise


def _tasks(ecs: Any, cluster: str) -> list[str]:
    """Return the tasks that have not stopped.

    A task that was told to stop is listed as stopped at once, but blocks the deletion of the
    cluster until it has stopped.
    """
    unstopped: list[str] = []
    try:
        for desired in ("RUNNING", "STOPPED"):
            for page in pages(ecs, "list_tasks", cluster=cluster, desiredStatus=desired):
                if arns := page["taskArns"]:
                    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]
                    unstopped += [
                        task["taskArn"] for task in tasks if task["lastStatus"] != "STOPPED"
                    ]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ClusterNotFoundException":
            raise
    return unstopped


def _cancel(datasync: Any, execution: str) -> None:
    try:
        datasync.cancel_task_execution(TaskExecutionArn=execution)
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidRequestException":  # it is already ending
            raise


def _copying(page: Any) -> list[str]:
    return [one["TaskExecutionArn"] for one in page["TaskExecutions"] if one["Status"] not in ENDED]
