"""The cluster in which R runs, and the declared task definitions."""

from aws_cdk import aws_ecs as ecs
from constructs import Construct

from infra.aws.image import image_parameter
from infra.aws.place import EFS, WEBSOCKET_API, aws_place, in_template
from infra.aws.settings import Stage
from infra.aws.stacks.base import SheenStack, accept, log_group
from infra.aws.stacks.data import DataStack
from infra.aws.stacks.roles import RolesStack
from infra.aws.stacks.storage import StorageStack
from infra.declared import Declared, TaskDefinition
from infra.declared.names import camel
from infra.declared.tasks import DROPPED_CAPABILITIES, TASK_EXECUTION_ROLE, task_log_group

WRITABLE = ("/tmp", "/run")  # noqa: S108  # paths within the container
"""Folders that a task may write to beside the file system.

They start empty, belong to one task, and disappear with it.
"""


class ComputeStack(SheenStack):
    """Cluster and task definitions."""

    def __init__(
        self,
        scope: Construct,
        stage: Stage,
        declared: Declared,
        data: DataStack,
        storage: StorageStack,
        roles: RolesStack,
    ) -> None:
        super().__init__(scope, stage, "compute", "cluster and task definitions")
        self._data, self._storage = data, storage
        self.add_stack_dependency(roles)
        self._images = {
            image: self.told(image_parameter(image), f"The image {image}, with its digest")
            for image in declared.images
        }
        self._stands_for = {WEBSOCKET_API: self.told("WebsocketApi", "The WebSocket API's id")}
        self.place = aws_place(stage, websocket_api=WEBSOCKET_API)
        self.cluster = ecs.CfnCluster(
            self,
            "Cluster",
            cluster_name=self.place.cluster,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
            cluster_settings=[
                ecs.CfnCluster.ClusterSettingsProperty(
                    name="containerInsights",
                    value="enabled" if stage.compute.insights else "disabled",
                )
            ],
        )
        if not stage.compute.insights:
            accept(
                self.cluster,
                "ECS4",
                "Container Insights are a setting, compute.insights: they cost by task",
            )
        self._log = log_group(self, "TaskLog", task_log_group(self.place))
        for task in declared.task_definitions:
            self._add(task)

    def _add(self, task: TaskDefinition) -> None:
        environment = in_template(dict(task.environment(self.place)), self._stands_for)
        container = ecs.CfnTaskDefinition.ContainerDefinitionProperty(
            name=task.container,
            image=self._images[task.image],
            command=list(task.command),
            environment=[
                ecs.CfnTaskDefinition.KeyValuePairProperty(name=name, value=value)
                for name, value in environment.items()
            ],
            essential=True,
            # The agent of ECS Exec writes into the root file system.
            readonly_root_filesystem=not self.stage.compute.exec,
            stop_timeout=task.stop_timeout_seconds,
            mount_points=[
                *(
                    ecs.CfnTaskDefinition.MountPointProperty(
                        source_volume=_volume(path), container_path=path
                    )
                    for path in WRITABLE
                ),
                *(
                    ecs.CfnTaskDefinition.MountPointProperty(
                        source_volume=mount.root,
                        container_path=f"{EFS}/{mount.root}",
                        read_only=not mount.write,
                    )
                    for mount in task.mounts
                ),
            ],
            log_configuration=ecs.CfnTaskDefinition.LogConfigurationProperty(
                log_driver="awslogs",
                options={
                    "awslogs-group": self._log.log_group_name,
                    "awslogs-region": self.stage.region,
                    "awslogs-stream-prefix": task.container,
                    # A task does not wait for its log. It may lose lines when it is more than 4 MB
                    # ahead of CloudWatch.
                    "mode": "non-blocking",
                    "max-buffer-size": "4m",
                },
            ),
            health_check=_health_check(task),
            linux_parameters=ecs.CfnTaskDefinition.LinuxParametersProperty(
                capabilities=ecs.CfnTaskDefinition.KernelCapabilitiesProperty(
                    drop=list(DROPPED_CAPABILITIES)
                )
            ),
            ulimits=[
                ecs.CfnTaskDefinition.UlimitProperty(
                    name="nofile", soft_limit=65536, hard_limit=65536
                )
            ],
        )
        definition = ecs.CfnTaskDefinition(
            self,
            camel(task.name),
            family=self.place.name(task.name),
            cpu=str(task.cpu),
            memory=str(task.memory_mb),
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            runtime_platform=ecs.CfnTaskDefinition.RuntimePlatformProperty(
                cpu_architecture="X86_64", operating_system_family="LINUX"
            ),
            task_role_arn=in_template(self.place.role_arn(task.role)),
            execution_role_arn=in_template(self.place.role_arn(TASK_EXECUTION_ROLE)),
            container_definitions=[container],
            volumes=[
                *(ecs.CfnTaskDefinition.VolumeProperty(name=_volume(path)) for path in WRITABLE),
                *(self._files(mount.root) for mount in task.mounts),
            ],
        )
        accept(
            definition,
            "ECS2",
            "The variables are names and addresses; secrets are in the instance's row "
            "and in Secrets Manager",
        )

    def _files(self, root: str) -> ecs.CfnTaskDefinition.VolumeProperty:
        return ecs.CfnTaskDefinition.VolumeProperty(
            name=root,
            efs_volume_configuration=ecs.CfnTaskDefinition.EFSVolumeConfigurationProperty(
                filesystem_id=self._data.file_system.ref,
                transit_encryption="ENABLED",
                authorization_config=ecs.CfnTaskDefinition.AuthorizationConfigProperty(
                    access_point_id=self._storage.access_points[root].ref, iam="ENABLED"
                ),
            ),
        )


def _health_check(task: TaskDefinition) -> ecs.CfnTaskDefinition.HealthCheckProperty | None:
    if not task.health:
        return None
    return ecs.CfnTaskDefinition.HealthCheckProperty(
        command=["CMD", *task.health], interval=30, timeout=10, retries=3, start_period=60
    )


def _volume(path: str) -> str:
    return path.strip("/").replace("/", "-")
