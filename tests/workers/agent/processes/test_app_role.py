"""The app's role: SDKs get and renew its credentials with the processes' token and nobody does
without; a missing role is named.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta

import aiohttp
import pytest
from botocore.credentials import ContainerProvider, ReadOnlyCredentials
from botocore.exceptions import ClientError

from agent.failure import AppStartFailed
from agent.processes import app_role
from agent.processes.app_role import AppRoles
from tests.chalicelib.aws_in_process import aws_in_process

PREFIX = "arn:aws:iam::123456789012:role/sheen-test/"
AGENT = {
    "AWS_REGION": "us-east-1",
    "AWS_SECRET_ACCESS_KEY": "the agent's",
    "ECS_CONTAINER_METADATA_URI_V4": "the agent's",
}
URI, TOKEN = "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"


@pytest.fixture(scope="module", autouse=True)
def _services() -> Iterator[None]:
    with aws_in_process():
        yield


@pytest.fixture
async def roles() -> AsyncIterator[AppRoles]:
    made = AppRoles(PREFIX, "/team", "4f2a")
    yield made
    await made.close()


async def by_sdk(variables: Mapping[str, str]) -> ReadOnlyCredentials:
    def load() -> ReadOnlyCredentials:
        frozen: ReadOnlyCredentials = (
            ContainerProvider(environ=dict(variables)).load().get_frozen_credentials()
        )
        return frozen

    return await asyncio.to_thread(load)


async def status(uri: str, token: str) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.get(uri, headers={"Authorization": token}) as answer,
    ):
        return answer.status


async def test_an_app_without_a_role_gets_nothing(roles: AppRoles) -> None:
    assert await roles.variables("", AGENT) == {}


async def test_an_sdk_gets_the_roles_credentials_and_none_of_the_agents(roles: AppRoles) -> None:
    variables = await roles.variables("team/sales", AGENT)
    assert variables.keys() == {URI, TOKEN, "AWS_REGION"}
    first = await by_sdk(variables)
    assert first.access_key.startswith("ASIA") and first.token
    assert await by_sdk(await roles.variables("team/sales", AGENT)) == first, (
        "not taken on anew for each process"
    )


async def test_credentials_are_new_before_they_end(
    roles: AppRoles, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = await roles.variables("team/sales", AGENT)
    first = await by_sdk(variables)
    monkeypatch.setattr(app_role, "RENEWED_BEFORE", timedelta(hours=2))
    assert (await by_sdk(variables)).access_key != first.access_key


async def test_who_has_not_the_token_of_that_role_gets_nothing(roles: AppRoles) -> None:
    sales, other = (
        await roles.variables("team/sales", AGENT),
        await roles.variables("team/other", AGENT),
    )
    assert await status(sales[URI], sales[TOKEN]) == 200
    for uri, token in (
        (sales[URI], ""),
        (sales[URI], "ä"),
        (sales[URI], other[TOKEN]),
        (sales[URI] + "x", sales[TOKEN]),
    ):
        assert await status(uri, token) == 403


async def test_a_role_that_cannot_be_taken_on_fails_the_start_and_is_named(
    roles: AppRoles, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = await roles.variables("team/sales", AGENT)

    class Refusing:
        def assume_role(self, **_: str) -> None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "AssumeRole")

    monkeypatch.setattr(app_role, "client", lambda _service: Refusing())
    with pytest.raises(AppStartFailed) as caught:
        await roles.variables("team/nope", AGENT)
    assert str(caught.value) == "The role that the app needs cannot be taken on.", (
        "visitors are told no names"
    )
    assert (
        f"role {PREFIX}team/nope: there is none of that name, or its trust policy does not let"
        in caught.value.said
    )
    monkeypatch.setattr(app_role, "RENEWED_BEFORE", timedelta(hours=2))
    assert await status(variables[URI], variables[TOKEN]) == 503


async def test_a_role_of_another_app_is_not_taken_on(roles: AppRoles) -> None:
    with pytest.raises(AppStartFailed) as caught:
        await roles.variables("other/reader", AGENT)
    assert 'the role "other/reader" is not for the app at /team' in caught.value.said
