"""What in an account stands in a deployment's way is named before anything is made."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from infra.aws.deploy import Aws
from infra.aws.errors import DeployError
from infra.aws.obstacles import FEWEST_AT_ONCE, MOST_LOG_POLICIES, too_few_at_once, unfit_zones
from infra.aws.settings import Compute, ExistingNetwork, Network, Stage, load
from tests.infra.aws.account import Account

STAGE = load("prod")
REGION = STAGE.region


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    account = Account()
    with account as endpoint:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "operator")
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        yield account


def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)


def obstacles(stage: Stage = STAGE) -> str:
    """What is told, whether it stops the deployment or not."""
    said = list[str]()
    try:
        Aws(stage, said.append).check_account()
    except DeployError as error:
        said.append(str(error))
    return "\n".join(said)


def test_a_new_accounts_ten_functions_at_once_are_too_few_unless_the_stage_says_that_they_will_do(
    account: Account,
) -> None:
    assert obstacles() == ""
    account.concurrency = 10
    with pytest.raises(
        DeployError,
        match=r"at most 10 functions at once.*L-B99A9384.*compute\.low_concurrency = true",
    ):
        Aws(STAGE, print).check_account()
    told = obstacles(dataclasses.replace(STAGE, compute=Compute(low_concurrency=True)))
    assert told.startswith("warning: Lambda runs at most 10 functions at once")


def test_what_pages_need_is_enough() -> None:
    assert too_few_at_once(FEWEST_AT_ONCE, STAGE) is None
    assert too_few_at_once(FEWEST_AT_ONCE - 1, STAGE)


def test_a_region_full_of_log_policies_is_told_unless_one_is_the_stages_own(
    account: Account,
) -> None:
    logs = client("logs")
    for number in range(MOST_LOG_POLICIES):
        logs.put_resource_policy(policyName=f"p{number}", policyDocument="{}")
    assert "takes no more: the deployment needs one, sheen-prod-transfers" in obstacles()
    logs.delete_resource_policy(policyName="p0")
    logs.put_resource_policy(policyName="sheen-prod-transfers", policyDocument="{}")
    assert obstacles() == ""
    assert account.concurrency == 1000


TOKYO = [
    ("ap-northeast-1a", "apne1-az4"),
    ("ap-northeast-1b", "apne1-az3"),
    ("ap-northeast-1c", "apne1-az1"),
]


def test_zones_without_fargate_are_told_by_name_with_those_that_have_it() -> None:
    stage = Stage("tokyo", "ap-northeast-1")
    [told] = unfit_zones(TOKYO, stage)
    assert told == (
        "network.zone_names: ap-northeast-1b is apne1-az3 in this account, where not all "
        "services run that Sheen needs; "
        "take 2 of ap-northeast-1a, ap-northeast-1c"
    )
    named = dataclasses.replace(
        stage, network=Network(zone_names=("ap-northeast-1a", "ap-northeast-1c"))
    )
    assert not list(unfit_zones(TOKYO, named))
    [unknown] = unfit_zones(
        TOKYO,
        dataclasses.replace(
            stage, network=Network(zone_names=("ap-northeast-1a", "ap-northeast-1d"))
        ),
    )
    assert "there is no zone ap-northeast-1d in ap-northeast-1" in unknown
    network = ExistingNetwork(
        "vpc-1", ("ap-northeast-1a", "ap-northeast-1b"), ("a", "b"), ("c", "d")
    )
    [existing] = unfit_zones(TOKYO, dataclasses.replace(stage, network=Network(existing=network)))
    assert existing.startswith("network.existing.zones: ap-northeast-1b")


class Vpc:
    """A VPC that has all that Sheen needs, unless a test takes something away."""

    def __init__(self) -> None:
        self.ec2 = client("ec2")
        self.zones = (f"{REGION}a", f"{REGION}b")
        self.id = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.ec2.modify_vpc_attribute(VpcId=self.id, EnableDnsHostnames={"Value": True})
        self.public, self.isolated = (
            tuple(
                self.ec2.create_subnet(
                    VpcId=self.id, CidrBlock=f"10.0.{base + number}.0/24", AvailabilityZone=zone
                )["Subnet"]["SubnetId"]
                for number, zone in enumerate(self.zones)
            )
            for base in (0, 10)
        )
        self.open, self.closed = (
            self.ec2.create_route_table(VpcId=self.id)["RouteTable"]["RouteTableId"]
            for _ in ("public", "isolated")
        )
        for table, subnets in ((self.open, self.public), (self.closed, self.isolated)):
            for subnet in subnets:
                self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.id)
        self.ec2.create_route(
            RouteTableId=self.open, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway
        )
        self.endpoints = {
            service: self.endpoint(service, RouteTableIds=[self.closed])
            for service in ("s3", "dynamodb")
        }

    def endpoint(self, service: str, kind: str = "Gateway", **more: Any) -> str:
        name = f"com.amazonaws.{REGION}.{service}"
        made = self.ec2.create_vpc_endpoint(
            VpcId=self.id, VpcEndpointType=kind, ServiceName=name, **more
        )
        return str(made["VpcEndpoint"]["VpcEndpointId"])

    def lacks(self, **changed: Any) -> str:
        network = {
            "vpc": self.id,
            "zones": self.zones,
            "public_subnets": self.public,
            "isolated_subnets": self.isolated,
            **changed,
        }
        return obstacles(
            dataclasses.replace(STAGE, network=Network(existing=ExistingNetwork(**network)))
        )


def test_an_existing_vpc_is_refused_by_the_name_of_what_it_lacks(account: Account) -> None:
    vpc = Vpc()
    assert vpc.lacks() == ""
    vpc.ec2.delete_vpc_endpoints(VpcEndpointIds=[vpc.endpoints["dynamodb"]])
    told = vpc.lacks()
    assert all(
        f"{subnet} does not reach dynamodb: its route table {vpc.closed} needs" in told
        for subnet in vpc.isolated
    )
    assert "s3" not in told
    vpc.endpoint("dynamodb", RouteTableIds=[vpc.closed])
    vpc.ec2.delete_route(RouteTableId=vpc.open, DestinationCidrBlock="0.0.0.0/0")
    assert (
        f"{vpc.public[0]} has no route from 0.0.0.0/0 to an internet gateway (route table "
        f"{vpc.open})"
    ) in vpc.lacks()
    swapped = vpc.lacks(public_subnets=vpc.public[::-1])
    assert (
        f"network.existing.public_subnets: {vpc.public[1]} is in {vpc.zones[1]}, not in "
        f"{vpc.zones[0]}"
    ) in swapped
    vpc.ec2.modify_vpc_attribute(VpcId=vpc.id, EnableDnsHostnames={"Value": False})
    assert f"{vpc.id} has enableDnsHostnames off" in vpc.lacks()
    assert "does not exist" in vpc.lacks(public_subnets=("subnet-0", vpc.public[1]))
    assert account.concurrency == 1000


@pytest.mark.parametrize("private", [True, False])
def test_an_endpoint_that_would_swallow_posts_to_browsers_is_refused(
    account: Account, *, private: bool
) -> None:
    vpc = Vpc()
    vpc.endpoint("execute-api", "Interface", PrivateDnsEnabled=private)
    assert ("execute-api with private DNS" in vpc.lacks()) is private
    assert account.concurrency == 1000
