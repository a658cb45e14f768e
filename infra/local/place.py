"""The place of the local stack's deployment."""

from chalicelib.configuration.rules import plain
from infra.declared import Place
from infra.emulator.gateway import WebSocketRoutes
from infra.emulator.settings import ACCOUNT, REGION
from infra.local.image import BuiltImage
from infra.local.settings import STAGE, LocalSettings


def local_place(settings: LocalSettings, app: str = "sheen") -> Place:
    """Return the place of the local deployment."""
    api = WebSocketRoutes("", "", "")
    return Place(
        stage=STAGE,
        region=REGION,
        account=ACCOUNT,
        websocket_url=f"/{api.stage}",
        connections_url=f"{settings.endpoint}/{api.stage}",
        efs=str(settings.efs),
        client_dir=str(settings.tree / "client" / "dist")
        if settings.image is None
        else BuiltImage.load(settings.image).client_dir,
        subnets=("subnet-local-a", "subnet-local-b"),
        task_security_group="sg-local-tasks",
        function_subnets=("subnet-10ca1000",),
        function_security_group="sg-10ca1000",
        app=app,
        bodies_url="/",
        one_machine=True,
        bundle_gb=plain(settings.bundle_gb),
        spares=settings.spares,
        most_instances=settings.most_instances,
        repositories=settings.repositories,
        python_repositories=settings.python_repositories,
        largest_size=settings.largest_size,
        most_instances_per_app=settings.most_instances_per_app,
        longest_idle=settings.longest_idle,
        app_defaults=settings.app_defaults,
        api_stage=api.stage,
        websocket_api=api.api_id,
    )
