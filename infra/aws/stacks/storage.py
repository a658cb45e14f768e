"""Storage that may be recreated at any time.

That is the tables of running things, the file system's mount targets and access points, and the
repository of the images.
"""

from collections.abc import Iterable

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_efs as efs
from constructs import Construct

from chalicelib.layout import SYNCED
from infra.aws.settings import Stage
from infra.aws.stacks.base import SheenStack
from infra.aws.stacks.data import DataStack
from infra.aws.stacks.network import NetworkStack
from infra.aws.stacks.tables import add_tables
from infra.declared import ROOTS, Declared, Place, Root
from infra.declared.names import camel


class StorageStack(SheenStack):
    """Tables of running things, mounts, image repository."""

    def __init__(
        self,
        scope: Construct,
        stage: Stage,
        declared: Declared,
        place: Place,
        data: DataStack,
        network: NetworkStack,
    ) -> None:
        super().__init__(
            scope, stage, "storage", "tables of what runs now, mount targets, image repository"
        )
        self.tables = add_tables(
            self, [table for table in declared.tables if not table.kept], place, data.key
        )
        for index, subnet in enumerate(network.public.subnets):
            efs.CfnMountTarget(
                self,
                f"MountTarget{index + 1}",
                file_system_id=data.file_system.ref,
                subnet_id=subnet.subnet_id,
                security_groups=[network.files_group.security_group_id],
            )
        self._former_access_point(data)
        self.access_points = {
            root.name: self._access_point(f"{camel(root.name)}AccessPoint", root, data)
            for root in ROOTS
        }
        self.repository = self._add_repository(declared.images)
        self.tell(
            "AccessPoint", self.access_points[SYNCED].ref, "Where DataSync enters the file system"
        )
        self.tell("Repository", self.repository.repository_uri, "Where the tasks' image is pushed")
        for table in declared.tables:
            if table.stream:
                stream = {**data.tables, **self.tables}[table.name].attr_stream_arn
                self.tell(
                    f"{table.name.capitalize()}Stream", stream, f"Changes of the table {table.name}"
                )

    def _access_point(self, construct: str, root: Root, data: DataStack) -> efs.CfnAccessPoint:
        """Make an access point that does not set a user.

        The agent runs as root and gives each app's files to the app's user.
        """
        return efs.CfnAccessPoint(
            self,
            construct,
            file_system_id=data.file_system.ref,
            root_directory=efs.CfnAccessPoint.RootDirectoryProperty(
                path=f"/sheen/{root.name}".rstrip("/"),
                creation_info=efs.CfnAccessPoint.CreationInfoProperty(
                    owner_uid="0", owner_gid="0", permissions=f"{root.mode:04o}"
                ),
            ),
            access_point_tags=[
                efs.CfnAccessPoint.AccessPointTagProperty(
                    key="Name", value=f"{self.stage.base}-{root.name or 'tasks'}"
                )
            ],
        )

    def _former_access_point(self, data: DataStack) -> None:
        """Keep the access point that all tasks once shared.

        Stacks of earlier deployments import it and are updated after this one. No role may use it
        any more.
        """
        self.export_value(self._access_point("TasksAccessPoint", Root("", 0o755), data).ref)

    def _add_repository(self, images: Iterable[str]) -> ecr.Repository:
        return ecr.Repository(
            self,
            "Image",
            repository_name=self.stage.base,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            empty_on_delete=True,
            removal_policy=cdk.RemovalPolicy.DESTROY,
            lifecycle_rules=[
                ecr.LifecycleRule(
                    description=f"the last releases of {image}",
                    rule_priority=priority,
                    tag_prefix_list=[f"{image}-"],
                    max_image_count=self.stage.compute.images_kept,
                )
                for priority, image in enumerate(images, 1)
            ],
        )
