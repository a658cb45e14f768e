"""Tags for what neither CloudFormation nor Chalice tags.

The tags split the bill, and tell DataSync's resources from those of another stage.
"""

from collections.abc import Mapping
from typing import Any

from infra.aws import transfers
from infra.declared import Place


def tag_apis(
    rest_client: Any, socket_client: Any, place: Place, *, rest: str, sockets: str
) -> None:
    """Tag both APIs and their stages; Chalice tags only functions."""
    base = f"arn:aws:apigateway:{place.region}::"
    for arn in (f"{base}/restapis/{rest}", f"{base}/restapis/{rest}/stages/{place.api_stage}"):
        rest_client.tag_resource(resourceArn=arn, tags=place.tags)
    for arn in (f"{base}/apis/{sockets}", f"{base}/apis/{sockets}/stages/{place.api_stage}"):
        socket_client.tag_resource(ResourceArn=arn, Tags=place.tags)


def tag_transfers(dynamodb: Any, datasync: Any, syncs: str, tags: Mapping[str, str]) -> None:
    """Tag DataSync's tasks and locations that were made before there were tags.

    The rows of the table ``syncs`` name the tasks.
    """
    wanted = [{"Key": name, "Value": value} for name, value in tags.items()]
    for task in transfers.tasks(dynamodb, syncs):
        described = transfers.described(datasync, task)
        if described is not None:
            for arn in (task, described["SourceLocationArn"], described["DestinationLocationArn"]):
                datasync.tag_resource(ResourceArn=arn, Tags=wanted)
