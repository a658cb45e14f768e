"""A deployment in this process with a configuration, a tree in the bucket, and apps in folders."""

from typing import Any

import boto3

import app as lambdas
from chalicelib.applying import contents
from chalicelib.applying.model import POINTER, ConfigurationRow
from chalicelib.apps import store as apps
from chalicelib.apps import versions
from chalicelib.apps.model import App
from chalicelib.configuration.applied import Content
from chalicelib.instances import store
from chalicelib.instances.model import VersionId
from tests.chalicelib.aws_in_process import BUCKET
from tests.chalicelib.proxy_events import Context, rest_event
from tests.chalicelib.standin_agent import Got, Say, StandinAgent

VERSION = "20261120T133144Z-3f9a"
FILE = "shiny-server.conf"


def apply(text: str, configuration_id: str = "1", **more: Any) -> None:
    """Let a configuration hold; ``more`` are templates and health checks."""
    contents.put(BUCKET, configuration_id, Content(FILE, text, **more), None)
    ConfigurationRow(*POINTER, configuration=configuration_id, number=1).save()
    lambdas.here.configuration.forget()


def locations(text: str) -> str:
    """Return a configuration with one server for every host."""
    return f"run_as shiny; log_dir /var/log; server {{ listen 3838; {text} }}"


def write(*paths: str, body: bytes = b"text") -> None:
    """Write files of the trees."""
    for path in paths:
        boto3.client("s3").put_object(Bucket=BUCKET, Key=f"site/{path.lstrip('/')}", Body=body)


def clear() -> None:
    """Remove all files."""
    client = boto3.client("s3")
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for found in page.get("Contents", ()):
            client.delete_object(Bucket=BUCKET, Key=found["Key"])


def ask(
    path: str,
    headers: list[tuple[str, str]] | None = None,
    method: str = "GET",
    stage: str = "",
    host: str = "",
) -> dict[str, Any]:
    """Return the answer that a visitor gets."""
    raw, _, query = path.partition("?")
    event = rest_event(method, f"/x?{query}", headers, b"", stage)
    event["path"], event["requestContext"]["path"] = raw, stage + raw
    event["requestContext"]["domainName"] = host
    answer: dict[str, Any] = lambdas.app(event, Context())
    return answer


def publish(location: str, agent: StandinAgent, **settings: object) -> App:
    """Publish an app, and run it at an agent."""
    app = apps.ensure(location, 1.0)
    if app.active_version is None:
        versions.add(app.app_id, VERSION, bundle="", kind="app.R", source="", settings={}, now=1.0)
        assert versions.activate(location, VERSION, "1", 1.0)
        app.refresh()
        app.settings = settings
        app.save()
        claimed = store.claim(
            str(VersionId(app.app_id, VERSION)), 0, location=location, capacity=9999,
            now=lambdas.here.clock(),
        )  # fmt: skip
        assert claimed is not None
        store.mark_ready(claimed.ref, agent.address, "token", lambdas.here.clock())
    return app


class Folders:
    """Apps in folders, which run at an agent that says which app was asked for what."""

    def __init__(self, agent: StandinAgent) -> None:
        self._agent = agent
        self.asked: list[tuple[str, str]] = []
        agent.answer = self._answer

    def app_in(self, folder: str, user: str, now: float) -> App:
        self.asked.append((folder, user))
        return publish("/in" + folder.replace("~", "/home/").replace(" ", "_"), self._agent)

    def _answer(self, got: Got) -> Say:
        base = got.header("sheen-base")
        return Say(200, [("Content-Type", "text/plain")], f"app {base} {got.path[4:]}".encode())
