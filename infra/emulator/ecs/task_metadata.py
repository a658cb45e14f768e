"""ECS's metadata endpoint (v4), and the credentials of tasks' roles (FACTS E3).

Both are on loopback, under secret paths.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from aiohttp import web

from infra.emulator.ecs.tasks import Task

CREDENTIALS_HOURS = 6


class TaskMetadata:
    """Answers tasks, which it knows by the secret in their path."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        application = web.Application()
        application.router.add_get("/{secret}", self._container)
        application.router.add_get("/{secret}/task", self._task)
        application.router.add_get("/{secret}/credentials", self._credentials)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def admit(self, task: Task) -> Mapping[str, str]:
        """Admit a task; return the variables by which its SDKs find this endpoint."""
        self._tasks[task.secret] = task
        base = f"http://127.0.0.1:{self._port}/{task.secret}"
        return {
            "ECS_CONTAINER_METADATA_URI_V4": base,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{base}/credentials",
        }

    def dismiss(self, task: Task) -> None:
        """Dismiss a task that has ended."""
        self._tasks.pop(task.secret, None)

    def _find(self, request: web.Request) -> Task:
        task = self._tasks.get(request.match_info["secret"])
        if task is None:
            raise web.HTTPNotFound
        return task

    async def _container(self, request: web.Request) -> web.Response:
        return web.json_response(_container_document(self._find(request)))

    async def _task(self, request: web.Request) -> web.Response:
        task = self._find(request)
        document = {
            "Cluster": task.cluster_arn,
            "TaskARN": task.arn,
            "Family": task.definition.family,
            "Revision": "1",
            "DesiredStatus": task.desired_status,
            "KnownStatus": task.last_status,
            "Limits": {"CPU": task.definition.cpu / 1024, "Memory": task.definition.memory_mb},
            "LaunchType": "FARGATE",
            "Containers": [_container_document(task)],
        }
        return web.json_response(document)

    async def _credentials(self, request: web.Request) -> web.Response:
        task = self._find(request)
        expiration = datetime.now(UTC) + timedelta(hours=CREDENTIALS_HOURS)
        document = {
            "RoleArn": task.definition.role_arn,
            "AccessKeyId": task.key.key_id,
            "SecretAccessKey": task.key.secret,
            "Token": task.key.token,
            "Expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return web.json_response(document)


def _container_document(task: Task) -> dict[str, object]:
    return {
        "DockerId": f"{task.task_id}-0",
        "Name": task.definition.container,
        "DockerName": task.definition.container,
        "DesiredStatus": task.desired_status,
        "KnownStatus": task.last_status,
        "Type": "NORMAL",
        "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": [task.address]}],
        "Labels": {"com.amazonaws.ecs.task-arn": task.arn},
    }
