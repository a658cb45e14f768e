"""The app's role: the agent assumes it and gives its credentials to the app's processes.

SDKs find the credentials as they do in a container. They ask an address on loopback, with a token
that only the environment of the app's own processes contains, and ask again before the credentials
end. The agent's own credentials stay with the agent.
"""

import asyncio
import hmac
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from aiohttp import web
from botocore.exceptions import BotoCoreError, ClientError

from agent.failure import AppStartFailed
from agent.log import logger
from chalicelib.apps import grants
from chalicelib.aws.clients import client
from chalicelib.configuration.errors import BadAppSetting

RENEWED_BEFORE = timedelta(minutes=20)
"""Shortest validity of credentials that are given out.

SDKs renew theirs 15 minutes before the end.
"""
_PATH = "/credentials/{role}"
_ROUTE = "/credentials/{role:.+}"
_SENTENCE = "The role that the app needs cannot be taken on."
_PASSED_ON = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL")
_WHY = {
    "AccessDenied": (
        "there is none of that name, or its trust policy does not let this deployment's role "
        "task-agent take it on"
    )
}


class _Credentials(NamedTuple):
    document: Mapping[str, str]
    """The credentials as SDKs read them."""
    end: datetime


class AppRoles:
    """Gives out credentials of the roles with which the app's processes were started.

    That is usually one role; after a restart there may be another one.
    """

    def __init__(self, prefix: str, app: str, app_id: str) -> None:
        """Prepare to assume roles; no request is made yet.

        ``prefix`` begins the ARNs of all roles that apps may have. The role sessions are named
        after the app's id.
        """
        self._prefix = prefix
        self._app = app
        self._app_id = app_id
        self._tokens: dict[str, str] = {}
        self._known: dict[str, _Credentials] = {}
        self._asking = asyncio.Lock()
        self._runner: web.AppRunner | None = None

    async def variables(self, role: str, agent: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the variables with which a process's SDKs find the role's credentials.

        Return none if ``role`` is empty.

        Raise :class:`AppStartFailed`, which names the role, if the role is not for this app or
        cannot be assumed.
        """
        if not role:
            return {}
        try:
            grants.check_role(self._app, role)
        except BadAppSetting as error:
            logger.error(
                "no role", extra={"role": self._prefix + role, "why": "it is for another app"}
            )
            raise AppStartFailed(_SENTENCE, str(error)) from None
        try:
            await self._of(role)
        except _CannotAssume as error:
            logger.error("no role", extra={"role": self._prefix + role, "why": str(error)})
            told = (
                f"role {self._prefix}{role}: {error}; make it in IAM as docs/operator.md "
                "says, or change the app's setting role"
            )
            raise AppStartFailed(_SENTENCE, told) from None
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{await self._port()}{_PATH.format(role=role)}",  # noqa: E501
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self._tokens.setdefault(
                role, secrets.token_urlsafe(32)
            ),
            **{name: agent[name] for name in _PASSED_ON if name in agent},
        }

    async def close(self) -> None:
        """Stop answering requests for credentials."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _port(self) -> int:
        async with self._asking:
            if self._runner is None:
                application = web.Application()
                application.router.add_get(_ROUTE, self._answer)
                runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
                await runner.setup()
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                self._runner = runner
        port: int = self._runner.addresses[0][1]
        return port

    async def _answer(self, request: web.Request) -> web.Response:
        role = request.match_info["role"]
        token = self._tokens.get(role)
        if token is None or not hmac.compare_digest(
            request.headers.get("Authorization", "").encode(), token.encode()
        ):
            return web.json_response(
                {"code": "AccessDenied", "message": "this is not the app's role, or not its token"},
                status=403,
            )
        try:
            return web.json_response((await self._of(role)).document)
        except _CannotAssume as error:
            logger.error(
                "the app's role cannot be taken on again",
                extra={"role": self._prefix + role, "why": str(error)},
            )
            return web.json_response(
                {"code": "CannotAssumeRole", "message": str(error)}, status=503
            )

    async def _of(self, role: str) -> _Credentials:
        async with self._asking:
            known = self._known.get(role)
            if known is None or known.end - datetime.now(UTC) < RENEWED_BEFORE:
                known = self._known[role] = await asyncio.to_thread(
                    _assume, self._prefix + role, self._app_id
                )
            return known


class _CannotAssume(Exception):
    """The role cannot be assumed; the message says why."""


def _assume(arn: str, session: str) -> _Credentials:
    try:
        given: Mapping[str, Any] = client("sts").assume_role(RoleArn=arn, RoleSessionName=session)[
            "Credentials"
        ]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise _CannotAssume(
            _WHY.get(code, f"{code}: {error.response['Error'].get('Message', '')}")
        ) from None
    except BotoCoreError as error:
        raise _CannotAssume(f"STS does not answer ({type(error).__name__})") from None
    end: datetime = given["Expiration"]
    document = {
        "RoleArn": arn,
        "AccessKeyId": given["AccessKeyId"],
        "SecretAccessKey": given["SecretAccessKey"],
        "Token": given["SessionToken"],
        "Expiration": end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return _Credentials(document, end)
