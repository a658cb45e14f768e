"""A deployment in this process with a configuration, a tree in the bucket, and apps in folders."""

from collections.abc import Mapping
from typing import Any

import boto3

import app as lambdas
from chalicelib.applying import contents
from chalicelib.applying.model import POINTER, ConfigurationRow
from chalicelib.apps import folders, versions
from chalicelib.apps import store as apps
from chalicelib.apps.model import App
from chalicelib.configuration.applied import Content
from chalicelib.instances import store
from chalicelib.instances.model import VersionId
from tests.chalicelib.aws_in_process import BUCKET
from tests.chalicelib.proxy_events import Context, rest_event
from tests.chalicelib.standin_agent import Got, Say, StandinAgent

VERSION = "20261120T133144Z-3f9a"
FILE = "shiny-server.conf"


def apply(
    text: str,
    configuration_id: str = "1",
    templates: Mapping[str, Mapping[str, str]] | None = None,
    health_checks: Mapping[str, str] | None = None,
) -> None:
    """Let a configuration hold."""
    content = Content(FILE, text, templates or {}, health_checks or {})
    contents.put(BUCKET, configuration_id, content, None)
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
    versions.add(app.app_id, VERSION, bundle="", kind="app.R", source="", settings={}, now=1.0)
    assert versions.activate(location, VERSION, "1", 1.0)
    app.refresh()
    app.settings = settings
    app.save()
    run(app, agent)
    return app


def run(app: App, agent: StandinAgent) -> None:
    """Run an app at an agent."""
    version = str(VersionId(app.app_id, str(app.active_version)))
    now = lambdas.here.clock()
    claimed = store.claim(version, 0, app=app.name, capacity=9999, now=now)
    if claimed is not None:
        store.mark_ready(claimed.ref, agent.address, "token", now)


class Folders:
    """Apps in folders, which run at an agent that says which app was asked for what."""

    def __init__(self, agent: StandinAgent) -> None:
        self._agent = agent
        self.asked: list[tuple[str, str]] = []
        agent.answer = self._answer

    def app_in(self, folder: str, user: str, now: float) -> App:
        self.asked.append((folder, user))
        app = folders.app_of(folder, user, now)
        run(app, self._agent)
        return app

    def _answer(self, got: Got) -> Say:
        base = got.header("sheen-base")
        return Say(200, [("Content-Type", "text/plain")], f"app {base} {got.path[4:]}".encode())
