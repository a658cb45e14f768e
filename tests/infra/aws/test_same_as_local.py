"""AWS gets what the local stack gets: what ``infra/aws`` puts into templates is compared with what
``infra/local`` creates.

Both are made for one deployment, ``sheen-local``; then they may differ only in what a place is:
addresses, subnets, folders.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import pytest

from infra import chalice
from infra.aws.image import image_parameter
from infra.aws.place import aws_place
from infra.aws.settings import Stage, Storage
from infra.aws.synth import StackTemplate, synthesise
from infra.aws.triggers import set_triggers
from infra.declared import DECLARED
from infra.declared.tasks import DROPPED_CAPABILITIES, task_log_group
from infra.emulator.events.bus import StateMachineTarget
from infra.emulator.moto.client import Moto
from infra.emulator.settings import ACCOUNT, REGION
from infra.local.containers import task_definitions
from infra.local.declare import create_state_machines, create_storage, create_topics
from infra.local.package import Package
from infra.local.place import local_place
from infra.local.settings import LocalSettings
from infra.local.stack import Stack
from tests.infra.aws.templates import resources

LOCAL = local_place(LocalSettings())
STAGE = Stage("local", REGION, protected=False, storage=Storage(bucket=LOCAL.bucket))
OF_THE_PLACE = {
    "SHEEN_WEBSOCKET_URL",
    "SHEEN_CONNECTIONS_URL",
    "SHEEN_EFS",
    "SHEEN_CLIENT_DIR",
    "SHEEN_BODIES_URL",
    "SHEEN_ONE_MACHINE",
    "SHEEN_SUBNETS",
    "SHEEN_TASK_SECURITY_GROUP",
    "SHEEN_SYNC_SUBNET",
    "SHEEN_SYNC_SECURITY_GROUP",
    "SHEEN_FILE_SYSTEM",
    "SHEEN_ACCESS_POINT",
    "POWERTOOLS_TRACE_DISABLED",
}
"""Variables whose values are a place's own."""


class Recorder:
    """What the local stack asks moto for, instead of moto."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Mapping[str, Any]]] = []
        self.bucket: dict[str, str] = {}

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        self.calls.append((service, operation, parameters))
        return {}

    @asynccontextmanager
    async def s3(self, _method: str, path: str, **request: Any) -> AsyncIterator[Any]:
        if "?" in path:
            self.bucket[path.partition("?")[2]] = request["data"].decode()
        yield SimpleNamespace(status=200)

    @asynccontextmanager
    async def form(self, service: str, form: str) -> AsyncIterator[Any]:
        parameters = dict(parse_qsl(form))
        self.calls.append((service, parameters["Action"], parameters))
        yield SimpleNamespace(status=200)

    def of(self, operation: str) -> list[Mapping[str, Any]]:
        return [parameters for _, called, parameters in self.calls if called == operation]


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> list[StackTemplate]:
    return synthesise(STAGE, tmp_path_factory.mktemp("local"))


@pytest.fixture
async def created() -> Recorder:
    recorder = Recorder()
    moto = cast(Moto, recorder)
    await create_storage(moto, DECLARED, LOCAL)
    await create_topics(moto, DECLARED, LOCAL)
    await create_state_machines(moto, DECLARED, LOCAL)
    return recorder


def _xml(document: str) -> ElementTree.Element:
    return ElementTree.fromstring(document)  # noqa: S314  # our own


def resolved(value: Any) -> Any:
    """A template's value with the account and the joins worked out; what else is not known yet is
    None.
    """
    match value:
        case {"Ref": "AWS::AccountId"}:
            return ACCOUNT
        case {"Fn::Join": [separator, parts]}:
            known = [resolved(part) for part in parts]
            return None if None in known else separator.join(known)
        case {"Ref": _} | {"Fn::GetAtt": _} | {"Fn::ImportValue": _}:
            return None
        case dict():
            return {key: resolved(one) for key, one in value.items()}
        case list():
            return [resolved(one) for one in value]
    return value


def test_tables_have_the_same_keys_indexes_expiry_and_streams(
    created: Recorder, templates: list[StackTemplate]
) -> None:
    here = {table["TableName"]: table for table in created.of("CreateTable")}
    expiry = {
        one["TableName"]: one["TimeToLiveSpecification"] for one in created.of("UpdateTimeToLive")
    }
    there = {
        table["Properties"]["TableName"]: table["Properties"]
        for _, table in resources(templates, "AWS::DynamoDB::Table")
    }
    assert here.keys() == there.keys()
    for name, table in here.items():
        for key in ("BillingMode", "KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes"):
            assert there[name].get(key) == table.get(key), (name, key)
        assert there[name].get("TimeToLiveSpecification") == expiry.get(name), name
        stream = (
            {**there[name]["StreamSpecification"], "StreamEnabled": True}
            if "StreamSpecification" in there[name]
            else None
        )
        assert stream == table.get("StreamSpecification"), name


def test_the_bucket_expires_the_same_and_lets_the_same_pages_in(
    created: Recorder, templates: list[StackTemplate]
) -> None:
    [bucket] = [one["Properties"] for _, one in resources(templates, "AWS::S3::Bucket")]
    assert bucket["BucketName"] == LOCAL.bucket
    space = "{http://s3.amazonaws.com/doc/2006-03-01/}"
    rules = _xml(created.bucket["lifecycle"]).iter(f"{space}Rule")
    here = {
        rule.findtext(f"{space}ID"): int(rule.findtext(f"{space}Expiration/{space}Days", "0"))
        for rule in rules
    }
    there = {
        rule["Id"]: rule.get("ExpirationInDays")
        for rule in bucket["LifecycleConfiguration"]["Rules"]
    }
    assert here == {name: days for name, days in there.items() if days}
    cors = [
        {item.tag.removeprefix(space): item.text for item in rule}
        for rule in _xml(created.bucket["cors"]).iter(f"{space}CORSRule")
    ]
    assert [(rule["AllowedOrigin"], int(rule["MaxAgeSeconds"] or 0)) for rule in cors] == [
        (rule["AllowedOrigins"][0], rule["MaxAge"])
        for rule in bucket["CorsConfiguration"]["CorsRules"]
    ]


def test_log_groups_keep_what_they_get_as_long(
    created: Recorder, templates: list[StackTemplate]
) -> None:
    here = {one["logGroupName"]: one["retentionInDays"] for one in created.of("PutRetentionPolicy")}
    assert here.keys() == {one["logGroupName"] for one in created.of("CreateLogGroup")}
    groups = [group["Properties"] for _, group in resources(templates, "AWS::Logs::LogGroup")]
    there = {group["LogGroupName"]: group["RetentionInDays"] for group in groups}
    # what functions and tasks say goes to files here
    assert {
        name: days
        for name, days in there.items()
        if not name.startswith("/aws/") and name != task_log_group(LOCAL)
    } == here


def test_topics_are_the_same(created: Recorder, templates: list[StackTemplate]) -> None:
    here = [topic["Name"] for topic in created.of("CreateTopic")]
    assert here == [
        topic["Properties"]["TopicName"] for _, topic in resources(templates, "AWS::SNS::Topic")
    ]


class Mappings:
    """What AWS is told of streams, instead of Lambda."""

    def __init__(self) -> None:
        self.told: dict[str, dict[str, Any]] = {}

    def list_event_source_mappings(self, **given: str) -> dict[str, Any]:
        return {"EventSourceMappings": [{"UUID": given["FunctionName"]}]}

    def update_event_source_mapping(self, **given: Any) -> None:
        self.told[given.pop("UUID")] = given


def test_streams_are_read_the_same() -> None:
    """Here they are in what Chalice packages, on AWS they are set once Chalice has deployed the
    functions.
    """
    mappings, merged = Mappings(), chalice.events(DECLARED)["Resources"].values()
    assert set_triggers(mappings, DECLARED, LOCAL)
    here = [
        event["Properties"]
        for resource in merged
        for event in resource["Properties"]["Events"].values()
    ]
    assert here == list(mappings.told.values())


def test_state_machines_are_the_same(created: Recorder, templates: list[StackTemplate]) -> None:
    here = {
        machine["name"]: json.loads(machine["definition"])
        for machine in created.of("CreateStateMachine")
    }
    there = {}
    for _, machine in resources(templates, "AWS::StepFunctions::StateMachine"):
        text = machine["Properties"]["DefinitionString"]
        for name, value in machine["Properties"]["DefinitionSubstitutions"].items():
            text = text.replace(f"${{{name}}}", resolved(value))
        there[machine["Properties"]["StateMachineName"]] = json.loads(text)
    assert here == there


def test_rules_have_the_same_patterns_and_targets(templates: list[StackTemplate]) -> None:
    nothing = cast(Package, SimpleNamespace(rules=()))
    bus = Stack(LocalSettings())._rules(nothing)
    here = {
        rule.target.arn: rule.pattern for rule in bus if isinstance(rule.target, StateMachineTarget)
    }
    machines = {
        name.rpartition("/")[2]: LOCAL.arn(
            "states", f"stateMachine:{machine['Properties']['StateMachineName']}"
        )
        for name, machine in resources(templates, "AWS::StepFunctions::StateMachine")
    }
    there = {}
    for _, rule in resources(templates, "AWS::Events::Rule"):
        [target] = rule["Properties"]["Targets"]
        there[machines[target["Arn"]["Ref"]]] = resolved(rule["Properties"]["EventPattern"])
    assert here == there


def test_task_definitions_have_the_same_images_commands_sizes_and_variables(
    templates: list[StackTemplate],
) -> None:
    here = {task.family: task for task in task_definitions(DECLARED, LOCAL)}
    images = {LOCAL.name(task.name): task for task in DECLARED.task_definitions}
    there = {
        task["Properties"]["Family"]: task["Properties"]
        for _, task in resources(templates, "AWS::ECS::TaskDefinition")
    }
    assert here.keys() == there.keys()
    for family, task in here.items():
        [container] = there[family]["ContainerDefinitions"]
        assert container["Name"] == task.container
        assert container["Command"] == list(task.command)
        assert container["StopTimeout"] == task.stop_timeout_seconds
        assert container["Image"] == {"Ref": image_parameter(images[family].image)}
        assert container.get("HealthCheck", {"Command": ["CMD"]})["Command"] == [
            "CMD",
            *images[family].health,
        ]
        assert container["LinuxParameters"]["Capabilities"] == {"Drop": list(DROPPED_CAPABILITIES)}
        assert {tag["Key"]: tag["Value"] for tag in there[family]["Tags"]} == task.tags
        assert "User" not in container, "the agent is root, in the image and here"
        assert (there[family]["Cpu"], there[family]["Memory"]) == (
            str(task.cpu),
            str(task.memory_mb),
        )
        variables = {pair["Name"]: resolved(pair["Value"]) for pair in container["Environment"]}
        local = dict(task.environment)
        assert variables.keys() == local.keys(), family
        assert {name: variables[name] for name in variables.keys() - OF_THE_PLACE} == {
            name: local[name] for name in local.keys() - OF_THE_PLACE
        }


def test_functions_have_the_same_variables() -> None:
    place = aws_place(STAGE, ACCOUNT)
    for function in DECLARED.functions:
        here, there = (
            DECLARED.environment_of(LOCAL, function),
            DECLARED.environment_of(place, function),
        )
        assert here.keys() == there.keys(), function.name
        for name in here.keys() - OF_THE_PLACE:
            assert here[name] == there[name], (function.name, name)


def test_roles_allow_the_same(templates: list[StackTemplate]) -> None:
    """The local stack holds every component to these statements; AWS's roles have them, and beside
    them only what ECS and EFS want.
    """
    there = {
        role["Properties"]["RoleName"]: role["Properties"]
        for _, role in resources(templates, "AWS::IAM::Role")
    }
    here = DECLARED.roles(LOCAL)
    assert there.keys() == {LOCAL.role_name(name) for name in here}
    for name, role in here.items():
        properties = there[LOCAL.role_name(name)]
        assert resolved(properties["AssumeRolePolicyDocument"]) == role.trust(ACCOUNT)
        [policy] = properties.get("Policies", [{"PolicyDocument": {"Statement": []}}])
        statements = {one["Sid"]: one for one in policy["PolicyDocument"]["Statement"]}
        extra = statements.keys() - {one.sid for one in role.statements} - {"Traces"}
        mounts = DECLARED.mounts(LOCAL).get(name, ())
        assert extra == {"Files" if mount.write else "ReadFiles" for mount in mounts}, name
        for sid in extra:
            points = statements[sid]["Condition"]["StringEquals"][
                "elasticfilesystem:AccessPointArn"
            ]
            points = points if isinstance(points, list) else [points]
            assert len(points) == sum(mount.write is (sid == "Files") for mount in mounts), name
            assert ("elasticfilesystem:ClientWrite" in statements[sid]["Action"]) is (
                sid == "Files"
            ), name
        for statement in role.statements:
            there_is, document = statements[statement.sid], statement.document()
            assert (there_is["Action"], there_is["Effect"]) == (
                document["Action"],
                document["Effect"],
            ), (name, statement.sid)
            assert resolved(there_is.get("Condition")) == document.get("Condition"), (
                name,
                statement.sid,
            )
            if statement.sid != "Browsers":  # names the API of the place
                assert resolved(statements[statement.sid]["Resource"]) == list(
                    statement.resources
                ), (name, statement.sid)
