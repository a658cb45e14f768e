"""A deployment from nothing, stopped half way, gone on with, done again, taken down: the steps for
real, in moto's account.
"""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.aws import steps, tagging
from infra.aws.cloudformation import Stacks
from infra.aws.deploy import Aws
from infra.aws.errors import DeployError
from infra.aws.image import MADE_OF, push_images, tag_of
from infra.aws.settings import load
from infra.aws.synth import StackTemplate, synthesise
from infra.declared import DECLARED, TREE
from tests.infra.aws.account import Account

STAGE = dataclasses.replace(load("prod"), protected=False)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    account = Account()
    with account as endpoint:
        for name, value in {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "operator",
            "AWS_SECRET_ACCESS_KEY": "operator",
            "AWS_DEFAULT_REGION": STAGE.region,
            "PYTHONPATH": f"{TREE}:{TREE / 'chalice_app'}",
        }.items():
            monkeypatch.setenv(name, value)
        yield account


class Docker:
    """Pushes images with nothing in them: as it is told to when that is by the builder that it was
    told to make, else with gzip.
    """

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.builders: set[str] = set()

    def __call__(self, command: Sequence[str], text: str) -> None:
        self.commands.append(" ".join(command[:3]))
        if command[1] == "login":
            assert text
            return
        named = dict(zip(command[3::2], command[4::2], strict=False))
        if command[2] == "create":
            assert named["--name"] not in self.builders or "--node" in named, (
                "a builder is made once, or a node of it changed"
            )
            self.builders |= {named["--name"]} if named["--driver"] == "docker-container" else set()
            return
        output = dict(
            part.split("=", 1) for part in command[command.index("--output") + 1].split(",")
        )
        assert output["compression"] == "zstd"
        repository, _, tag = output["name"].rpartition("/")[2].partition(":")
        compression = output["compression"] if named.get("--builder") in self.builders else "gzip"
        digest = f"sha256:{tag.encode().hex():0>64.64}"
        layers = [
            {
                "mediaType": f"application/vnd.oci.image.layer.v1.tar+{compression}",
                "size": 1,
                "digest": digest,
            }
        ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {},
            "layers": layers,
        }
        client("ecr").put_image(
            repositoryName=repository, imageTag=tag, imageManifest=json.dumps(manifest)
        )


def client(service: str) -> Any:
    return boto3.client(service, region_name=STAGE.region)


def test_from_nothing_half_way_on_again_and_down(account: Account, tmp_path: Path) -> None:
    if not (TREE / "client" / "dist").exists():
        pytest.fail("client/dist is not there: `make install` makes it, and it goes into the image")
    templates = synthesise(STAGE, tmp_path)
    docker, said = Docker(), list[str]()

    def deploy() -> dict[str, str]:
        said.clear()
        aws = Aws(STAGE, said.append, run=docker, poll_seconds=0.05)
        return steps.run(steps.deployment(STAGE, templates), aws, aws.begin(), said.append)

    account.sockets_cannot_be_deployed = True
    with pytest.raises(
        DeployError, match="step 8 of 15, functions and APIs: chalice deploy failed"
    ):
        deploy()
    account.sockets_cannot_be_deployed = False
    known = deploy()
    assert (
        docker.commands
        == ["docker login --username", "docker buildx create", "docker buildx build"] * 2
    )
    _everything_is_there(known)
    _all_that_costs_by_use_is_tagged(account, known)

    before = {
        function["FunctionName"]: function["LastModified"]
        for function in client("lambda").list_functions()["Functions"]
    }
    assert deploy() == known
    assert "  nothing has changed" in said
    assert before == {
        function["FunctionName"]: function["LastModified"]
        for function in client("lambda").list_functions()["Functions"]
    }

    account.concurrency = 10
    deploy()
    assert any("too few to keep" in line for line in said)
    place = Aws(STAGE, print).place(known)
    for function in DECLARED.functions:
        kept = client("lambda").get_function_concurrency(
            FunctionName=place.function_name(function.name)
        )
        assert "ReservedConcurrentExecutions" not in kept

    aws = Aws(STAGE, said.append, poll_seconds=0.05)
    assert not any(aws.stacks(template.region).changes(template) for template in templates), (
        "make plan sees what is there"
    )
    steps.run(steps.removal(STAGE, templates), aws, aws.begin(), said.append)
    _only_what_was_published_is_left(known)
    [data] = [template for template in templates if template.stack == "sheen-prod-data"]
    kept = aws.stacks(STAGE.region).retained(data)
    assert {name for kind, name in kept if kind == "AWS::DynamoDB::Table"} == set(
        client("dynamodb").list_tables()["TableNames"]
    )
    assert {known["Bucket"], known["FileSystemId"]} < {name for _, name in kept}
    steps.run(
        steps.removal(STAGE, templates), aws, aws.begin(), said.append
    )  # nothing more to do, and no error


def _everything_is_there(known: dict[str, str]) -> None:
    [rest] = client("apigateway").get_rest_apis()["items"]
    [socket] = client("apigatewayv2").get_apis()["Items"]
    assert (rest["id"], socket["ApiId"]) == (known["RestApi"], known["WebsocketApi"]), (
        "the run that failed had made them"
    )

    functions = {
        function["FunctionName"]: function
        for function in client("lambda").list_functions()["Functions"]
    }
    place = Aws(STAGE, print).place(known)
    assert functions.keys() == {
        place.function_name(function.name) for function in DECLARED.functions
    }
    for function in DECLARED.functions:
        deployed = functions[place.function_name(function.name)]
        assert deployed["Role"] == place.role_arn(function.role)
        assert deployed["Environment"]["Variables"] == DECLARED.environment_of(place, function)
        assert (deployed["MemorySize"], deployed["Timeout"]) == (
            function.memory_mb,
            function.timeout_seconds,
        )
        subnets = deployed.get("VpcConfig", {}).get("SubnetIds", [])
        assert sorted(subnets) == (
            sorted(known["FunctionSubnets"].split(",")) if function.in_vpc else []
        )
    message = functions[place.function_name("on_task_stopped")]["Environment"]["Variables"]
    assert (
        message["SHEEN_CONNECTIONS_URL"]
        == f"https://{socket['ApiId']}.execute-api.eu-central-1.amazonaws.com/__live"
    )

    [roles] = client("cloudformation").describe_stacks(StackName="sheen-prod-roles")["Stacks"]
    told = {one["ParameterKey"]: one["ParameterValue"] for one in roles["Parameters"]}
    assert told == {"WebsocketApi": socket["ApiId"]}, "put again when the API was there"

    for function in DECLARED.functions:
        if function.stream is not None:
            [mapping] = client("lambda").list_event_source_mappings(
                FunctionName=place.function_arn(function.name)
            )["EventSourceMappings"]
            patterns = [json.loads(one["Pattern"]) for one in mapping["FilterCriteria"]["Filters"]]
            assert patterns == list(function.stream.filters)

    rest_limits = client("apigateway").get_stage(restApiId=rest["id"], stageName="__live")[
        "methodSettings"
    ]["*/*"]
    assert (rest_limits["throttlingRateLimit"], rest_limits["throttlingBurstLimit"]) == (500, 1000)
    socket_limits = client("apigatewayv2").get_stage(ApiId=socket["ApiId"], StageName="__live")[
        "DefaultRouteSettings"
    ]
    assert (socket_limits["ThrottlingRateLimit"], socket_limits["ThrottlingBurstLimit"]) == (
        2000,
        4000,
    )
    for function in DECLARED.functions:
        kept = client("lambda").get_function_concurrency(
            FunctionName=place.function_name(function.name)
        )
        assert kept.get("ReservedConcurrentExecutions") == function.reserved

    task = client("ecs").describe_task_definition(taskDefinition="sheen-prod-agent_large")[
        "taskDefinition"
    ]
    [container] = task["containerDefinitions"]
    assert container["image"] == known["AgentImage"]
    variables = {pair["name"]: pair["value"] for pair in container["environment"]}
    assert (
        variables["SHEEN_WEBSOCKET_URL"]
        == f"wss://{socket['ApiId']}.execute-api.eu-central-1.amazonaws.com/__live"
    )

    assert (
        len(client("iam").list_roles(PathPrefix="/aws-service-role/ecs.amazonaws.com/")["Roles"])
        == 1
    )

    machine = client("stepfunctions").describe_state_machine(
        stateMachineArn=place.state_machine_arn("instance")
    )
    assert machine["roleArn"] == place.role_arn("machine-instance")


def _all_that_costs_by_use_is_tagged(account: Account, known: dict[str, str]) -> None:
    tags = {"application": "sheen", "stage": "prod"}
    base = "arn:aws:apigateway:eu-central-1::"
    apis = (f"{base}/restapis/{known['RestApi']}", f"{base}/apis/{known['WebsocketApi']}")
    assert account.tags == {arn: tags for api in apis for arn in (api, f"{api}/stages/__live")}
    arns = [function["FunctionArn"] for function in client("lambda").list_functions()["Functions"]]
    assert all(
        tags.items() <= client("lambda").list_tags(Resource=arn)["Tags"].items() for arn in arns
    )


def test_datasyncs_tasks_of_before_get_the_stages_tags(account: Account) -> None:
    assert not account.sockets_cannot_be_deployed
    client("dynamodb").create_table(
        TableName="syncs",
        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    datasync = mock.Mock()
    datasync.describe_task.side_effect = [
        {"SourceLocationArn": "location/s3", "DestinationLocationArn": "location/efs"},
        ClientError(
            {"Error": {"Code": "InvalidRequestException", "Message": "not found"}}, "DescribeTask"
        ),
    ]
    for name, task in (("a", "task/1"), ("b", "task/gone"), ("c", "")):
        item = {"name": {"S": name}, **({"task_arn": {"S": task}} if task else {})}
        client("dynamodb").put_item(TableName="syncs", Item=item)
    tagging.tag_transfers(client("dynamodb"), datasync, "syncs", {"stage": "prod"})
    told = [call.kwargs for call in datasync.tag_resource.call_args_list]
    assert len(told) == 3
    assert all(one["Tags"] == [{"Key": "stage", "Value": "prod"}] for one in told)
    assert {one["ResourceArn"] for one in told} > {"location/s3", "location/efs"}


def _only_what_was_published_is_left(known: dict[str, str]) -> None:
    assert not client("lambda").list_functions()["Functions"]
    assert not client("apigateway").get_rest_apis()["items"]
    assert not client("apigatewayv2").get_apis()["Items"]
    stacks = client("cloudformation").describe_stacks()["Stacks"]
    assert {
        stack["StackName"] for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"
    } == {"sheen-prod-data"}
    assert known["Bucket"] in {bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]}
    tables = set(client("dynamodb").list_tables()["TableNames"])
    assert tables == {f"sheen-prod-{table.name}" for table in DECLARED.tables if table.kept}


def test_cloudfronts_secret_stays_until_the_stage_goes(account: Account) -> None:
    assert not account.sockets_cannot_be_deployed
    aws = Aws(load("shared"), print)
    first = aws.do(steps.Secret(), {})
    assert aws.do(steps.Secret(), {}) == first
    assert len(first["EdgeSecret"]) >= 32
    aws.do(steps.DeleteSecret(), {})
    assert aws.do(steps.Secret(), {}) != first


def test_a_zones_name_servers_are_told_before_the_step_that_waits_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outputs = {
        "sheen-full-zone": {"NameServers": "ns-1.example.org ns-2.example.org"},
        "sheen-full-edge": {},
    }
    monkeypatch.setattr(
        Stacks, "put", lambda _stacks, template, _parameters, **_other: outputs[template.stack]
    )
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    every = [
        steps.DeployStack(StackTemplate(name, "us-east-1", {"Resources": {}})) for name in outputs
    ]
    said = list[str]()
    steps.run(every, Aws(load("full"), said.append), {}, said.append)
    [told] = [
        index for index, line in enumerate(said) if "ns-1.example.org ns-2.example.org" in line
    ]
    assert told < said.index("[2/2] stack sheen-full-edge")


def test_an_image_that_is_not_compressed_as_the_stage_says_is_not_deployed(
    account: Account, tmp_path: Path
) -> None:
    assert not account.sockets_cannot_be_deployed
    for name in MADE_OF:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    ecr = client("ecr")
    repository = ecr.create_repository(repositoryName="images")["repository"]["repositoryUri"]

    class NoBuilders(Docker):
        def __call__(self, command: Sequence[str], text: str) -> None:
            if command[2] != "create":
                super().__call__(command, text)

    for _ in range(2):  # nor is one that an earlier run has left
        with pytest.raises(
            DeployError,
            match=r"agent-\w+ has layers of type .*gzip, not zstd.*; remove it by `aws ecr "
            r"batch-delete",
        ):
            push_images(ecr, repository, tmp_path, DECLARED, {}, NoBuilders())
    [image] = ecr.describe_images(repositoryName="images")["imageDetails"]
    ecr.batch_delete_image(repositoryName="images", imageIds=[{"imageTag": image["imageTags"][0]}])
    pushed = push_images(ecr, repository, tmp_path, DECLARED, {}, Docker())
    assert pushed.keys() == {"AgentImage", "BuildsImage"}

    class Builds(Docker):
        whole: ClassVar[list[str]] = []

        def __call__(self, command: Sequence[str], text: str) -> None:
            self.whole.append(" ".join(command))
            super().__call__(command, text)

    push_images(
        ecr,
        repository,
        tmp_path,
        DECLARED,
        {"R_REPOSITORY": "", "FONTS": "fonts-noto-cjk fonts-wqy-microhei"},
        Builds(),
    )
    assert any(
        "--build-arg FONTS=fonts-noto-cjk fonts-wqy-microhei " in command
        for command in Builds.whole
    )


def test_the_images_name_changes_with_what_is_in_it(tmp_path: Path) -> None:
    for folder in ("workers", "tasks", "chalice_app/chalicelib", "client/dist"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "requirements.lock").touch()
    with_nothing = tag_of(tmp_path, {"FONTS": ""})
    assert with_nothing != tag_of(tmp_path, {"R_REPOSITORY": "https://r.example.org"})
    assert with_nothing != tag_of(tmp_path, {"FONTS": "fonts-noto-cjk"})
    (tmp_path / "workers" / "__pycache__").mkdir()
    (tmp_path / "workers" / "__pycache__" / "x.pyc").touch()
    assert tag_of(tmp_path, {}) == with_nothing
    (tmp_path / "workers" / "install.sh").write_text("true")
    with_script = tag_of(tmp_path, {})
    (tmp_path / "workers" / "install.sh").chmod(0o755)
    assert len({with_nothing, with_script, tag_of(tmp_path, {})}) == 3
    (tmp_path / "requirements.lock").unlink()
    with pytest.raises(
        DeployError, match=r"requirements\.lock is not there; `make install` makes it"
    ):
        tag_of(tmp_path, {})
