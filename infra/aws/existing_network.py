"""Find what an existing VPC lacks.

A deployment into such a VPC would succeed, but every page would time out.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from infra.aws.settings import ExistingNetwork

_ATTRIBUTES = {"enableDnsSupport": "EnableDnsSupport", "enableDnsHostnames": "EnableDnsHostnames"}
"""EC2's name of the attribute → key in its answer.

Tasks need DNS because they mount the file system by its name.
"""


_THERE = ("available", "pending")
"""States in which an endpoint works or soon will."""


def lacking(ec2: Any, existing: ExistingNetwork, region: str) -> Iterator[str]:
    """Yield what must be corrected, each with the setting and the resource's name.

    ``ec2`` is boto3's client.
    """
    try:
        yield from _attributes(ec2, existing.vpc)
        subnets = ec2.describe_subnets(
            SubnetIds=[*existing.public_subnets, *existing.isolated_subnets]
        )["Subnets"]
    except ClientError as error:
        yield f"network.existing: {error.response['Error']['Message']}"
        return
    of_vpc = [{"Name": "vpc-id", "Values": [existing.vpc]}]
    every = ec2.describe_vpc_endpoints(Filters=of_vpc)["VpcEndpoints"]
    endpoints = [endpoint for endpoint in every if endpoint.get("State", "").lower() in _THERE]
    tables = ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]
    yield from misplaced(existing, {subnet["SubnetId"]: subnet for subnet in subnets})
    yield from unrouted(existing, tables, endpoints, region)
    yield from swallowing(existing.vpc, endpoints, region)


def _attributes(ec2: Any, vpc: str) -> Iterator[str]:
    for attribute, key in _ATTRIBUTES.items():
        if not ec2.describe_vpc_attribute(VpcId=vpc, Attribute=attribute)[key]["Value"]:
            yield (
                f"network.existing.vpc: {vpc} has {attribute} off, and tasks find the file "
                "system by its name; turn it on"
            )


def misplaced(existing: ExistingNetwork, subnets: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield subnets that are in another VPC or zone than the settings say.

    This function is pure.
    """
    for setting, names in (
        ("public_subnets", existing.public_subnets),
        ("isolated_subnets", existing.isolated_subnets),
    ):
        for name, zone in zip(names, existing.zones, strict=True):
            subnet = subnets[name]
            if subnet["VpcId"] != existing.vpc:
                yield (
                    f"network.existing.{setting}: {name} is in {subnet['VpcId']}, not in "
                    f"{existing.vpc}"
                )
            elif subnet["AvailabilityZone"] != zone:
                yield (
                    f"network.existing.{setting}: {name} is in {subnet['AvailabilityZone']}, "
                    f"not in {zone}; list them in the zones' order"
                )


def unrouted(
    existing: ExistingNetwork,
    tables: Sequence[Mapping[str, Any]],
    endpoints: Sequence[Mapping[str, Any]],
    region: str,
) -> Iterator[str]:
    """Yield subnets without a route that tasks or functions need.

    Tasks need the internet. Functions need S3 and DynamoDB. This function is pure.
    """
    for subnet in existing.public_subnets:
        table = _table_of(subnet, tables)
        if not any(
            route.get("DestinationCidrBlock") == "0.0.0.0/0" and _is_open(route)
            for route in table.get("Routes", ())
        ):
            yield (
                f"network.existing.public_subnets: {subnet} has no route from 0.0.0.0/0 "
                "to an internet gateway "
                f"(route table {table.get('RouteTableId', 'none')}): its tasks could not "
                "fetch their image"
            )
    for subnet in existing.isolated_subnets:
        table = _table_of(subnet, tables).get("RouteTableId", "none")
        for service in ("s3", "dynamodb"):
            name = f"com.amazonaws.{region}.{service}"
            if not any(
                one["ServiceName"] == name and table in one.get("RouteTableIds", ())
                for one in endpoints
            ):
                yield (
                    f"network.existing.isolated_subnets: {subnet} does not reach "
                    f"{service}: its route table {table} "
                    f"needs the gateway endpoint of {name}, which costs nothing"
                )


def swallowing(vpc: str, endpoints: Sequence[Mapping[str, Any]], region: str) -> Iterator[str]:
    """Yield endpoints that would keep tasks from posting to browsers (FACTS W10).

    This function is pure.
    """
    service = f"com.amazonaws.{region}.execute-api"
    for endpoint in endpoints:
        if endpoint["ServiceName"] == service and endpoint.get("PrivateDnsEnabled"):
            yield (
                f"network.existing.vpc: {vpc} has the endpoint "
                f"{endpoint['VpcEndpointId']} of {service} with private DNS, "
                "by which posts to browsers fail; turn its private DNS off, or take another VPC"
            )


def _table_of(subnet: str, tables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the subnet's own route table, or else the VPC's main one."""
    for table in tables:
        if any(one.get("SubnetId") == subnet for one in table["Associations"]):
            return table
    return next(
        (table for table in tables if any(one.get("Main") for one in table["Associations"])), {}
    )


def _is_open(route: Mapping[str, Any]) -> bool:
    return (
        str(route.get("GatewayId", "")).startswith("igw-")
        and route.get("State", "active") == "active"
    )
