"""Routes and triggers of Sheen's Lambdas; each body is one call into chalicelib.

Two kinds of function (DESIGN, "A request, end to end"): ``api_handler``, ``websocket_*``, ``instance_watch`` and ``agents_restart`` run
inside the VPC and talk to agents, DynamoDB and S3 only; all others run outside and talk to AWS's APIs and never to an agent.
"""

import os
from typing import Any

from chalice.app import CloudWatchEvent, DynamoDBEvent, WebsocketEvent

from chalicelib.apps import configure
from chalicelib.aws import run_task
from chalicelib.lambdas import keep_active as keeping
from chalicelib.lambdas.environment import Environment
from chalicelib.lambdas.proxy import ANYTHING, METHODS, ProxyChalice, ProxyResponse
from chalicelib.lives import archive, deaths, starts, steps, sweep, watch
from chalicelib.lives import restart as restarting
from chalicelib.publishing import publish, retention
from chalicelib.syncs import asking
from chalicelib.syncs import steps as sync_steps
from chalicelib.syncs.definition import NOT_TOLD

INSTANCES_STREAM = os.environ.get(
    "SHEEN_INSTANCES_STREAM_ARN", "arn:aws:dynamodb:us-east-1:123456789012:table/sheen-local-instances/stream/local"
)
"""Known when the table is; only packaging reads it, like the next three."""
CLUSTER = os.environ.get("SHEEN_CLUSTER_ARN", "arn:aws:ecs:us-east-1:123456789012:cluster/sheen-local")
BUCKETS = os.environ.get("SHEEN_EVENT_BUCKETS", "sheen-local").split()
"""The deployment's own, and those of others that syncs read. Rules without names match what happens in the whole account."""
TRANSFERS = os.environ.get("SHEEN_TRANSFERS", "arn:aws:datasync:us-east-1:123456789012:task/")
"""Begins the ARNs of DataSync's executions here; which tasks are the deployment's is not known before they are made."""

app = ProxyChalice("sheen")
app.experimental_feature_flags.update(["WEBSOCKETS"])
app.api.binary_types = ANYTHING

here = Environment()
app.register_middleware(here.around)


@app.route("/", methods=METHODS, content_types=ANYTHING)
def root() -> ProxyResponse:
    """The site's root: the app there, or the list of apps."""
    return app.pass_on(here.visits.answer)


@app.route("/{proxy+}", methods=METHODS, content_types=ANYTHING)
def anything() -> ProxyResponse:
    """Every other path (FACTS C1)."""
    return app.pass_on(here.visits.answer)


@app.on_ws_connect()
def websocket_connect(event: WebsocketEvent) -> dict[str, Any]:
    """A browser wants to connect."""
    return here.connections.connect(event.to_dict())


@app.on_ws_message()
def websocket_message(event: WebsocketEvent) -> dict[str, Any]:
    """A frame from a browser."""
    return here.connections.message(event.to_dict())


@app.on_ws_disconnect()
def websocket_disconnect(event: WebsocketEvent) -> dict[str, Any]:
    """A connection ended."""
    return here.connections.disconnect(event.to_dict())


@app.on_dynamodb_record(stream_arn=INSTANCES_STREAM, starting_position="TRIM_HORIZON")  # LATEST misses what is written while it begins
def on_instance_change(event: DynamoDBEvent) -> None:
    """Rows of instances changed: start what was claimed, and claim what is missing in the pool of spares."""
    starts.on_change(event.to_dict()["Records"], here.settings, here.clock())


@app.on_cw_event(
    {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {"clusterArn": [CLUSTER], "lastStatus": ["STOPPED"]},
    }
)
def on_task_stopped(event: CloudWatchEvent) -> None:
    """A task ended."""
    deaths.on_task_stopped(event.detail, here.settings.cluster, here.settings.connections_url, here.clock)


@app.lambda_function()
def task_run(event: run_task.RunEvent, context: Any) -> None:
    """A state machine that waits for a task: start it."""
    run_task.run(event, here.settings)


@app.lambda_function()
def instance_watch(event: watch.WatchEvent, context: Any) -> None:
    """The state machine of an instance: put it into service."""
    watch.watch(event, here.agents, here.clock)


@app.lambda_function()
def agents_restart(event: restarting.RestartEvent, context: Any) -> restarting.Told:
    """The command, a publish or a sync: an app is to start afresh."""
    assert here.settings
    return restarting.restart(event, here.agents, here.clock)


@app.lambda_function()
def instance_drain(event: dict[str, Any], context: Any) -> dict[str, bool]:
    """The state machine of an instance: nobody may come any more, if nobody is there."""
    assert here.settings
    return steps.drain(event, here.clock)


@app.lambda_function()
def instance_stop(event: dict[str, Any], context: Any) -> dict[str, int]:
    """The state machine of an instance: stop what was drained."""
    return steps.stop(event, here.settings.cluster, here.clock)


@app.lambda_function()
def instance_fail(event: dict[str, Any], context: Any) -> dict[str, int]:
    """The state machine of an instance: clear up what failed."""
    return steps.fail(event, here.settings.cluster, here.settings.connections_url, here.clock)


@app.schedule("rate(5 minutes)")
def sweeper(event: CloudWatchEvent) -> None:
    """From time to time: repair what every other path missed."""
    sweep.sweep(here.settings, here.clock)


@app.schedule("rate(1 day)")
def keep_active(event: CloudWatchEvent) -> None:
    """Every day: the functions in the VPC that nobody needed."""
    keeping.keep_active(here.settings.vpc_functions)


@app.lambda_function()
def app_configure(event: dict[str, Any], context: Any) -> configure.Configured:
    """The command, or whoever may: show or change an app's settings, ``{"location": "/PATH", "settings": {NAME: VALUE}}``."""
    assert here.settings
    return configure.on_demand(event, here.clock)


@app.lambda_function()
def app_archive(event: archive.LocationEvent, context: Any) -> dict[str, int]:
    """The command: put an app away."""
    return archive.archive(event, here.settings, here.clock)


@app.lambda_function()
def app_delete(event: archive.LocationEvent, context: Any) -> dict[str, int]:
    """The command: delete an archived app for good."""
    return archive.delete(event, here.settings, here.clock)


@app.lambda_function()
def publish_check(event: dict[str, Any], context: Any) -> publish.Upload:
    """The state machine of a publish: an upload has arrived."""
    return publish.check(event, here.settings.bucket, here.settings.largest_bundle, here.clock)


@app.lambda_function()
def publish_register(event: dict[str, Any], context: Any) -> None:
    """The state machine of a publish: the version is built."""
    assert here.settings
    publish.register(event, here.clock)


@app.lambda_function()
def publish_activate(event: dict[str, Any], context: Any) -> dict[str, str]:
    """The state machine of a publish: make the built version the active one."""
    assert here.settings
    return publish.activate(event, here.clock)


@app.lambda_function()
def publish_report(event: dict[str, Any], context: Any) -> dict[str, str]:
    """The state machine of a publish: tell the author what came of it."""
    return publish.report(event, here.settings.bucket, here.clock)


@app.lambda_function()
def publish_reject(event: dict[str, Any], context: Any) -> dict[str, str]:
    """The state machine of a publish: tell the author why not."""
    return publish.reject(event, here.settings, here.clock)


@app.lambda_function()
def sync(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Somebody wants a sync now: ``{"sync": NAME, "prefix": "…", "wait": true}``."""
    return asking.on_demand(event, here.settings, here.clock, context.get_remaining_time_in_millis)


@app.schedule("rate(5 minutes)")
def sync_tick(event: CloudWatchEvent) -> None:
    """Syncs that are due, and those that run."""
    asking.tick(here.settings, here.clock())


@app.lambda_function()
def sync_step(event: dict[str, Any], context: Any) -> sync_steps.Order:
    """The state machine of a sync's run: what next?"""
    return sync_steps.step(event, here.settings, here.clock)


@app.lambda_function()
def sync_follow(event: dict[str, Any], context: Any) -> None:
    """The state machine of a sync's run: tell it when DataSync is done."""
    assert here.settings
    sync_steps.follow(event)


@app.on_cw_event(
    {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": BUCKETS}, "object": {"key": [{"anything-but": {"prefix": NOT_TOLD}}]}},
    }
)
def on_object_written(event: CloudWatchEvent) -> None:
    """An object was written; it may be urgent data."""
    asking.on_object(event.to_dict(), here.settings, here.clock())


@app.on_cw_event(
    {
        "source": ["aws.datasync"],
        "detail-type": ["DataSync Task Execution State Change"],
        "resources": [{"prefix": TRANSFERS}],
        "detail": {"State": ["SUCCESS", "ERROR"]},
    }
)
def on_transfer_change(event: CloudWatchEvent) -> None:
    """DataSync is done."""
    assert here.settings
    sync_steps.on_transfer_change(event.to_dict())


@app.schedule("rate(6 hours)")
def tidy_sweep(event: CloudWatchEvent) -> None:
    """From time to time: versions that could go since nobody uses them any more, and what is left of deleted apps."""
    retention.sweep(here.settings.state_machine("tidy"), here.clock)


@app.lambda_function()
def tidy_begin(event: retention.TidyEvent, context: Any) -> list[retention.Removal]:
    """The state machine that tidies: mark the versions of an app that are to go."""
    assert here.settings
    return retention.begin(event, here.clock)


@app.lambda_function()
def tidy_finish(event: retention.Removal, context: Any) -> None:
    """The state machine that tidies: a version's files are gone."""
    retention.finish(event, here.settings.bucket)
