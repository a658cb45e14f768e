"""Tags of what neither CloudFormation nor Chalice tags. By them the bill is split, and DataSync's things are told from another stage's."""

from collections.abc import Mapping
from typing import Any

from infra.aws import transfers
from infra.declared import Place


def tag_apis(rest_client: Any, socket_client: Any, place: Place, *, rest: str, sockets: str) -> None:
    """Tag both APIs and their stages. Chalice tags functions only."""
    base = f"arn:aws:apigateway:{place.region}::"
    for arn in (f"{base}/restapis/{rest}", f"{base}/restapis/{rest}/stages/{place.api_stage}"):
        rest_client.tag_resource(resourceArn=arn, tags=place.tags)
    for arn in (f"{base}/apis/{sockets}", f"{base}/apis/{sockets}/stages/{place.api_stage}"):
        socket_client.tag_resource(ResourceArn=arn, Tags=place.tags)


def tag_transfers(dynamodb: Any, datasync: Any, syncs: str, tags: Mapping[str, str]) -> None:
    """Tag the DataSync tasks that the rows of the table ``syncs`` name, and their locations: those of before there were tags."""
    wanted = [{"Key": name, "Value": value} for name, value in tags.items()]
    for task in transfers.tasks(dynamodb, syncs):
        described = transfers.described(datasync, task)
        if described is not None:
            for arn in (task, described["SourceLocationArn"], described["DestinationLocationArn"]):
                datasync.tag_resource(ResourceArn=arn, Tags=wanted)
