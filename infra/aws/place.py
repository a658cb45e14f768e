"""The place of a deployment on AWS.

Templates use CloudFormation's own expression for the account. Declarations are made for the account
:data:`ACCOUNT` instead, because their rules check ARNs. :func:`in_template` replaces it with the
expression.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from infra.aws.settings import Stage
from infra.declared import Place
from infra.declared.place import OtherBucket, Throttle

T = TypeVar("T")

ACCOUNT = "000000000000"
"""Placeholder for the account in values that go into a template."""
WEBSOCKET_API = "0websocket0"
"""Placeholder for the WebSocket API's id in values that go into a template."""
API_STAGE = "__live"
"""The stage of both APIs.

Behind CloudFront, ``/__live`` leads to sockets. No app's location begins with it.
"""
EFS = "/mnt/sheen"
"""Mount point of the file system in tasks."""
CLIENT = "/usr/local/lib/sheen/client"
"""Folder of the browser client's files in the image (``workers/Dockerfile``)."""


def aws_place(
    stage: Stage,
    account: str = ACCOUNT,
    *,
    subnets: tuple[str, ...] = ("",),
    task_security_group: str = "",
    function_subnets: tuple[str, ...] = (),
    function_security_group: str = "",
    websocket_api: str = "*",
    file_system: str = "",
    access_point: str = "",
    edge_proof: str = "",
) -> Place:
    """Return the place, as far as it is known; templates are made before anything exists."""
    host = f"{websocket_api}.execute-api.{stage.region}.amazonaws.com"
    return Place(
        stage=stage.name,
        region=stage.region,
        account=account,
        websocket_url=f"wss://{stage.edge.domain}/{API_STAGE}"
        if stage.edge
        else f"wss://{host}/{API_STAGE}",
        connections_url=f"https://{host}/{API_STAGE}",
        efs=EFS,
        client_dir=CLIENT,
        subnets=subnets,
        task_security_group=task_security_group,
        function_subnets=function_subnets,
        function_security_group=function_security_group,
        repositories=" ".join(stage.compute.repositories),
        python_repositories=" ".join(stage.compute.python_repositories),
        spares=",".join(f"{size}={count}" for size, count in stage.compute.spares.items()),
        throttle=Throttle(
            stage.throttle.requests_per_second,
            stage.throttle.request_burst,
            stage.throttle.messages_per_second,
            stage.throttle.message_burst,
        ),
        most_instances=stage.compute.most_instances,
        most_held=stage.compute.most_held_requests,
        execute_command=stage.compute.exec,
        instance_capacity="FARGATE_SPOT" if stage.compute.spot else "FARGATE",
        api_stage=API_STAGE,
        websocket_api=websocket_api,
        file_system=file_system,
        access_point=access_point,
        edge_proof=edge_proof,
        other_buckets=tuple(OtherBucket(bucket.name, bucket.prefix) for bucket in stage.data),
        traced=True,
        transfer_mode=stage.storage.transfer_mode.upper(),
        own_tags=tuple(stage.tags.items()),
        bundle_gb=str(stage.compute.bundle_gb),
        largest_size=stage.compute.largest_size,
        most_instances_per_app=stage.compute.most_instances_per_app,
        longest_idle=stage.compute.longest_idle,
        app_defaults=stage.app_defaults,
        trees=stage.trees,
        bucket_name=stage.storage.bucket or f"{stage.base}-{account}-{stage.region}",
    )


def in_template(value: T, stands_for: Mapping[str, str] = MappingProxyType({})) -> T:
    """Return a string, list or mapping with placeholders replaced by CloudFormation's expressions.

    The account is always replaced. ``stands_for`` names further placeholders.
    """
    import aws_cdk as cdk

    text = json.dumps(value)
    for marker, expression in {ACCOUNT: cdk.Aws.ACCOUNT_ID, **stands_for}.items():
        text = text.replace(marker, expression)
    expressed: T = json.loads(text)
    return expressed
