"""A bucket in moto, and an agent's HTTP server with real R behind it."""

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp
import boto3
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from botocore.credentials import Credentials
from moto.server import ThreadedMotoServer

from agent.http.bodies import Objects
from agent.processes.worker import Worker
from tests.workers.agent.http.bodies.stand import BUCKET, Agent, Bucket


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str) -> Iterator[Bucket]:
    keys = {
        "aws_access_key_id": "AKIA",
        "aws_secret_access_key": "secret",
        "region_name": "us-east-1",
    }
    s3 = boto3.client("s3", endpoint_url=s3_server, **keys)
    s3.create_bucket(Bucket=BUCKET)
    found = Bucket(s3, s3_server)
    yield found
    for key in found.objects():
        s3.delete_object(Bucket=BUCKET, Key=key)


@pytest.fixture
def objects(bucket: Bucket) -> Objects:
    return Objects(
        BUCKET, lambda: bucket.s3, "us-east-1", Credentials("AKIA", "secret"), bucket.url
    )


@pytest.fixture
async def agent(spec: Callable[..., Any], objects: Objects) -> AsyncIterator[Agent]:
    def make(number: int) -> Worker:
        return Worker(spec("bodies", number=number))

    found = Agent(make, objects, patience=1.0)
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", found.visit)
    async with TestClient(TestServer(application)) as found.http:
        for session in found.live:
            async with found.workers.seated(session):
                pass
        yield found
        await found.uploads.close()
        await found.pages.close()
        await found.answers.close()
        await found.kept.close()
        await found.workers.close()
        await found.asking.close()


@pytest.fixture
async def fetch() -> AsyncIterator[Callable[..., Any]]:
    """As a browser follows a redirect."""
    async with aiohttp.ClientSession() as session:
        yield functools.partial(session.get)
