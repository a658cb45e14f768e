"""An AWS account to deploy to: moto's, with what it lacks of the calls that Chalice makes.

What is proven with it is that the steps fit together: templates, outputs and parameters, Chalice's
own calls, reruns and removal. Whether AWS itself takes each template is for cfn-lint and for CDK's
own validation to say (``test_templates``).
"""

import json
import logging
from typing import Any
from unittest import mock
from urllib.parse import unquote

from moto.apigateway import urls
from moto.apigateway.models import APIGatewayBackend, RestAPI
from moto.apigatewayv2.responses import ApiGatewayV2Response
from moto.awslambda import urls as functions
from moto.awslambda.responses import LambdaResponse
from moto.ec2.models.vpcs import VPCBackend
from moto.ecr.models import ECRBackend
from moto.server import ThreadedMotoServer


def _import_rest_api(
    self: APIGatewayBackend, api_doc: dict[str, Any], _fail_on_warnings: bool
) -> RestAPI:
    """moto reads OpenAPI 3 only, and Chalice writes Swagger 2: the API is there, with one method
    instead of its own.
    """
    api: RestAPI = self.create_rest_api(name=api_doc["info"]["title"], description="")
    root = api.get_resource_for_path("/")
    root.add_method("ANY", "NONE", None)
    root.add_integration("ANY", "AWS_PROXY", "uri", integration_method="POST")
    return api


def _put_rest_api(self: APIGatewayBackend, function_id: str, *_: Any, **__: Any) -> RestAPI:
    api: RestAPI = self.get_rest_api(function_id)
    return api


def _update_stage(self: ApiGatewayV2Response) -> tuple[int, dict[str, str], str]:
    """moto does not change a stage of a WebSocket API."""
    *_, api_id, _stages, name = self.path.split("/")
    stage = self.apigatewayv2_backend.get_stage(api_id, unquote(name))
    stage.default_route_settings |= json.loads(self.body)["defaultRouteSettings"]
    return 200, {}, json.dumps(stage.to_json())


def _get_layer_version_by_arn(self: LambdaResponse) -> str:
    *_, name, version = self._get_param("Arn").split(":")
    return json.dumps(self.backend.get_layer_version(name, version).get_layer_version())


def _delete_repository(
    self: ECRBackend, repository_name: str, registry_id: str | None = None, force: bool = False
) -> Any:
    """moto does not know EmptyOnDelete."""
    return _DELETE_REPOSITORY(self, repository_name, registry_id, force=True)


def _delete_vpc(self: VPCBackend, vpc_id: str) -> Any:
    """moto leaves its route tables in the way."""
    return self.vpcs.pop(vpc_id)


_DELETE_REPOSITORY = ECRBackend.delete_repository


class Account:
    """One account, empty at first: ``with Account() as endpoint``."""

    def __init__(self) -> None:
        self.sockets_cannot_be_deployed = False
        """Makes API Gateway refuse a step in the middle of ``chalice deploy``."""
        self.concurrency = 1000
        """How many functions Lambda may run at once."""
        self.tags: dict[str, dict[str, str]] = {}
        """Those of the APIs and their stages, by ARN; moto keeps tags of some only."""
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._patches: list[Any] = [
            mock.patch.object(APIGatewayBackend, "import_rest_api", _import_rest_api),
            mock.patch.object(APIGatewayBackend, "put_rest_api", _put_rest_api),
            mock.patch.object(
                LambdaResponse, "get_layer_version_by_arn", _get_layer_version_by_arn, create=True
            ),
            mock.patch.object(ApiGatewayV2Response, "update_stage", _update_stage, create=True),
            mock.patch.dict(
                functions.url_paths, {"{0}/2016-08-19/account-settings/?$": self._settings}
            ),
            mock.patch.object(VPCBackend, "delete_vpc", _delete_vpc),
            mock.patch.object(ECRBackend, "delete_repository", _delete_repository),
            mock.patch.dict(
                urls.url_paths,  # of both kinds of API
                {
                    "{0}/v2/apis/(?P<api_id>[^/]+)/deployments$": self._deployment,
                    **{path: self._tagging for path in urls.url_paths if "/tags/" in path},
                    "{0}/v2/tags/(?P<arn>.+)$": self._tagging,
                    "{0}/tags/(?P<arn>.+)$": self._tagging,
                },
            ),
        ]
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)

    def _deployment(
        self, _request: Any, _url: str, _headers: Any
    ) -> tuple[int, dict[str, str], str]:
        if self.sockets_cannot_be_deployed:
            return (
                409,
                {"x-amzn-errortype": "ConflictException"},
                json.dumps({"message": "come back later"}),
            )
        return 201, {"Content-Type": "application/json"}, json.dumps({"deploymentId": "deployed"})

    def _settings(self, _request: Any, _url: str, _headers: Any) -> tuple[int, dict[str, str], str]:
        return (
            200,
            {"Content-Type": "application/json"},
            json.dumps({"AccountLimit": {"ConcurrentExecutions": self.concurrency}}),
        )

    def _tagging(self, request: Any, url: str, _headers: Any) -> tuple[int, dict[str, str], str]:
        self.tags[unquote(url).partition("/tags/")[2]] = json.loads(request.data)["tags"]
        return 204, {}, ""

    def __enter__(self) -> str:
        for patch in self._patches:
            patch.start()
        self._server.start()
        host, port = self._server.get_host_and_port()
        return f"http://{host}:{port}"

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        for patch in self._patches:
            patch.stop()
