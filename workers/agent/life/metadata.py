"""The identity of this task, from the ECS task metadata endpoint, version 4."""

from typing import Any, NamedTuple

import aiohttp

from chalicelib.errors import Broken


class MetadataMissing(Broken):
    """The endpoint's answer lacks something that every task has."""


class TaskIdentity(NamedTuple):
    """The task's ARN and its private address."""

    arn: str
    address: str


def identity_from(task: Any) -> TaskIdentity:
    """Read the answer to ``GET <endpoint>/task``; raise :class:`MetadataMissing`."""
    try:
        return TaskIdentity(
            str(task["TaskARN"]), str(task["Containers"][0]["Networks"][0]["IPv4Addresses"][0])
        )
    except (KeyError, IndexError, TypeError):
        raise MetadataMissing(
            "the task metadata has no TaskARN or no IPv4 address: the task must use the "
            "network mode awsvpc"
        ) from None


async def identify(endpoint: str) -> TaskIdentity:
    """Ask the endpoint; raise :class:`MetadataMissing`."""
    url = f"{endpoint}/task"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.get(url) as response,
        ):
            response.raise_for_status()
            return identity_from(await response.json(content_type=None))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise MetadataMissing(
            f"the task metadata endpoint {url} did not answer: {error or type(error).__name__}"
        ) from error
