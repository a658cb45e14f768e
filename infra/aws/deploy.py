"""Carry out the steps of a deployment on AWS."""

import dataclasses
import functools
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.syncs.model import Sync
from chalicelib.visits.address import edge_proof
from infra.aws import ending, existing_network, obstacles, tagging
from infra.aws.cloudformation import POLL_SECONDS, Stacks
from infra.aws.errors import DeployError
from infra.aws.functions import ChaliceFunctions, ChaliceRecord
from infra.aws.image import Run, push_images, run_command
from infra.aws.place import aws_place
from infra.aws.scan import scan_lines
from infra.aws.settings import Stage
from infra.aws.steps import (
    BEFORE_FUNCTIONS,
    DeleteFunctions,
    DeleteSecret,
    DeleteStack,
    DeployFunctions,
    DeployStack,
    EndTransfers,
    EndWork,
    Known,
    LinkedRole,
    PushImage,
    Secret,
    Step,
    Tags,
    Triggers,
)
from infra.aws.synth import StackTemplate
from infra.aws.throttles import set_throttles
from infra.aws.triggers import set_triggers
from infra.declared import DECLARED, TREE, Declared, Place

STREAM_VARIABLES = {
    "SHEEN_INSTANCES_STREAM_ARN": "InstancesStream",
    "SHEEN_ERRANDS_STREAM_ARN": "ErrandsStream",
}
"""Variables from which ``chalice_app/app.py`` reads streams' names → outputs that hold them."""

ECS = "ecs.amazonaws.com"


class Aws:
    """An :class:`infra.aws.steps.Executor` for one stage, with the credentials that boto3 finds."""

    def __init__(
        self,
        stage: Stage,
        say: Callable[[str], None],
        *,
        declared: Declared = DECLARED,
        tree: Path = TREE,
        run: Run = run_command,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._stage, self._say, self._declared, self._tree, self._run = (
            stage,
            say,
            declared,
            tree,
            run,
        )
        self._poll_seconds = poll_seconds
        work = tree / ".build" / "deploy" / stage.name
        self._functions = ChaliceFunctions(
            tree / "chalice_app", work, declared, self._client("s3"), say
        )

    def begin(self) -> dict[str, str]:
        """Return what is known before the first step.

        That is the account and what an earlier deployment left. Raise :class:`DeployError`.
        """
        try:
            account = self._client("sts").get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as error:
            raise DeployError(
                f"AWS does not know who is asking: {error}. Sign in first: "
                "docs/operator.md, From an empty account to the first app"
            ) from error
        return {
            "Account": account,
            **_apis(self._functions.record(aws_place(self._stage, account).bucket)),
        }

    def look(self, known: Known) -> dict[str, str]:
        """Return what is known of an existing deployment; change nothing."""
        stacks = self.stacks(self._stage.region)
        outputs = [stacks.outputs(f"{self._stage.base}-{name}") for name in BEFORE_FUNCTIONS]
        return {name: value for each in (known, *outputs) for name, value in each.items()}

    def check_account(self) -> None:
        """Raise :class:`DeployError` that names all obstacles in the account."""
        try:
            found = list(self._obstacles())
        except (BotoCoreError, ClientError) as error:
            raise DeployError(f"the account cannot be looked at: {error}") from error
        if found:
            raise DeployError(
                "\n".join(["the account is not ready:", *(f"- {one}" for one in found)])
            )

    def _obstacles(self) -> Iterator[str]:
        stage = self._stage
        few = obstacles.too_few_at_once(obstacles.concurrency(self._client("lambda")), stage)
        if few and stage.compute.low_concurrency:
            self._say(f"warning: {few}")
        elif few:
            yield f"{few}; or set compute.low_concurrency = true to deploy all the same"
        used_up = obstacles.log_policies_used_up(
            obstacles.log_policies(self._client("logs")), f"{stage.base}-transfers"
        )
        if used_up:
            yield used_up
        ec2 = self._client("ec2")
        yield from obstacles.unfit_zones(obstacles.zones(ec2), stage)
        if stage.network.existing is not None:
            yield from existing_network.lacking(ec2, stage.network.existing, stage.region)

    def url(self, known: Known) -> str:
        """Return the URL for visitors."""
        if self._stage.edge:
            return f"https://{self._stage.edge.domain}"
        return f"https://{known['RestApi']}.execute-api.{self._stage.region}.amazonaws.com/{self.place(known).api_stage}"

    def stacks(self, region: str) -> Stacks:
        """Return CloudFormation in a region."""
        return Stacks(
            self._client("cloudformation", region), self._say, time.sleep, self._poll_seconds
        )

    def do(self, step: Step, known: Known) -> Mapping[str, str]:
        """Carry out a step."""
        try:
            return self._do(step, known)
        except (BotoCoreError, ClientError) as error:
            raise DeployError(str(error)) from error

    def _do(self, step: Step, known: Known) -> Mapping[str, str]:
        match step:
            case LinkedRole():
                _make_linked_role(self._client("iam"))
            case DeployStack(template):
                stacks = self.stacks(template.region)
                upload = functools.partial(self._upload, known.get("Bucket", ""))
                outputs = stacks.put(
                    template,
                    parameters_of(template, known),
                    protected=self._stage.protected,
                    upload=upload,
                )
                if servers := outputs.get("NameServers"):
                    self._say(
                        "  the certificate waits until the zone above delegates to this "
                        f"one, by NS records: {servers}"
                    )
                return outputs
            case PushImage():
                ecr, repository = self._client("ecr"), known["Repository"]
                compute = self._stage.compute
                arguments = {
                    "R_REPOSITORY": compute.image_packages,
                    "FONTS": " ".join(compute.image_fonts),
                }
                pushed = push_images(
                    ecr, repository, self._tree, self._declared, arguments, self._run
                )
                for image in pushed.values():
                    for line in scan_lines(ecr, repository, image, time.sleep, self._poll_seconds):
                        self._say(f"  {line}")
                return {name: image.name for name, image in pushed.items()}
            case DeployFunctions():
                place = dataclasses.replace(self.place(known), reserves=self._can_reserve())
                streams = {name: known[output] for name, output in STREAM_VARIABLES.items()}
                return _apis(self._functions.deploy(place, streams))
            case Tags():
                self._tag(known)
            case Triggers():
                place = self.place(known)
                set_triggers(self._client("lambda"), self._declared, place)
                set_throttles(
                    self._client("apigateway"),
                    self._client("apigatewayv2"),
                    place,
                    rest_api=known["RestApi"],
                    websocket_api=known["WebsocketApi"],
                )
            case Secret():
                return {"EdgeSecret": self._edge_secret()}
            case EndWork():
                ending.end_work(
                    self._client("stepfunctions"),
                    self._client("ecs"),
                    self._declared,
                    self.place(known),
                    self._say,
                    time.sleep,
                )
            case EndTransfers():
                table = self.place(known).name(Sync.short_name)
                ending.end_transfers(
                    self._client("dynamodb"), self._client("datasync"), table, self._say, time.sleep
                )
            case DeleteFunctions():
                stream = (
                    aws_place(self._stage, known["Account"]).table_arn("instances") + "/stream/gone"
                )
                self._functions.delete(self.place(known), dict.fromkeys(STREAM_VARIABLES, stream))
            case DeleteSecret():
                self._client("ssm").delete_parameters(Names=[self._edge_secret_name])
            case DeleteStack(stack, region):
                outputs = self.stacks(region).outputs(stack)
                groups = [
                    outputs[name]
                    for name in ("FunctionSecurityGroup", "TaskSecurityGroup")
                    if name in outputs
                ]
                if groups:
                    ending.wait_for_interfaces(self._client("ec2"), groups, self._say, time.sleep)
                self.stacks(region).delete(stack)
        return {}

    def _can_reserve(self) -> bool:
        """Return whether functions can reserve concurrent executions in the account.

        AWS lets nobody reserve the last hundred.
        """
        limit = obstacles.concurrency(self._client("lambda"))
        if self._declared.can_reserve(limit):
            return True
        self._say(
            f"  warning: the account runs {limit} functions at once, too few to keep "
            f"{self._declared.reserved} of them for what keeps apps "
            "alive: many visitors at once can delay starts and publishes. Raise it: "
            "docs/operator.md, Limits, and how to raise them"
        )
        return False

    def _tag(self, known: Known) -> None:
        place = self.place(known)
        tagging.tag_apis(
            self._client("apigateway"),
            self._client("apigatewayv2"),
            place,
            rest=known["RestApi"],
            sockets=known["WebsocketApi"],
        )
        table = place.name(Sync.short_name)
        tagging.tag_transfers(self._client("dynamodb"), self._client("datasync"), table, place.tags)

    def place(self, known: Known) -> Place:
        """Return the deployment's place, as far as it is known."""
        return aws_place(
            self._stage,
            known["Account"],
            subnets=tuple(known.get("TaskSubnets", "").split(",")),
            task_security_group=known.get("TaskSecurityGroup", ""),
            function_subnets=tuple(known.get("FunctionSubnets", "").split(",")),
            function_security_group=known.get("FunctionSecurityGroup", ""),
            websocket_api=known.get("WebsocketApi", "*"),
            file_system=known.get("FileSystemId", ""),
            access_point=known.get("AccessPoint", ""),
            edge_proof=edge_proof(known["EdgeSecret"]) if "EdgeSecret" in known else "",
        )

    def _upload(self, bucket: str, template: StackTemplate, text: str) -> str:
        """Upload a template for CloudFormation; return its URL."""
        key = f"deployment/templates/{template.stack}.json"
        self._client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode())
        return f"https://{bucket}.s3.{self._stage.region}.amazonaws.com/{key}"

    @property
    def _edge_secret_name(self) -> str:
        return f"/sheen/{self._stage.name}/edge-secret"

    def _edge_secret(self) -> str:
        """Return the secret; make it if it does not exist.

        It is stored in a parameter, which costs nothing. If an operator deletes the parameter, the
        next run makes another secret.
        """
        ssm, name = self._client("ssm"), self._edge_secret_name
        try:
            return str(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise
        secret = secrets.token_urlsafe(32)
        ssm.put_parameter(Name=name, Value=secret, Type="SecureString")
        return secret

    def _client(self, service: str, region: str = "") -> Any:
        return boto3.client(service, region_name=region or self._stage.region)


def _make_linked_role(iam: Any) -> None:
    """Make the linked role of ECS before the first cluster of an account needs it.

    Creating the cluster would make the role too, but fail because ECS cannot assume it yet.
    """
    if not iam.list_roles(PathPrefix=f"/aws-service-role/{ECS}/")["Roles"]:
        iam.create_service_linked_role(AWSServiceName=ECS)


def parameters_of(template: StackTemplate, known: Known) -> dict[str, str]:
    """Return the stack's parameters, from known values.

    Raise :class:`DeployError` if one is neither known nor has a default. This function is pure.
    """
    parameters: dict[str, Any] = template.body.get("Parameters", {})
    missing = [
        name for name, one in parameters.items() if name not in known and "Default" not in one
    ]
    if missing:
        raise DeployError(
            f"{template.stack} needs {', '.join(missing)}, which no step before has found out"
        )
    return {name: known[name] for name in parameters if name in known}


def _apis(record: ChaliceRecord) -> dict[str, str]:
    ids = {"RestApi": record.api("rest_api"), "WebsocketApi": record.api("websocket_api")}
    return {name: value for name, value in ids.items() if value}
