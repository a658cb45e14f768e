"""Routes and triggers of Sheen's Lambdas; each body is one call into chalicelib.

There are two kinds of function (DESIGN, "A request, end to end"). ``api_handler``,
``websocket_*``, ``instance_watch``, ``agents_restart`` and ``logins_end`` run inside the VPC and
talk to agents, DynamoDB and S3 only. All others run outside, talk to AWS's APIs and never talk to
an agent.
"""

import os
from collections.abc import Mapping
from typing import Any

from chalice.app import CloudWatchEvent, DynamoDBEvent, WebsocketEvent

from chalicelib.apps import configure
from chalicelib.aws import run_task, streams
from chalicelib.configuration.keys import UPLOAD as CONFIGURATION
from chalicelib.lambdas import keep_active as keeping
from chalicelib.lambdas.environment import Environment
from chalicelib.lambdas.proxy import ANYTHING, METHODS, ProxyChalice, ProxyResponse
from chalicelib.lives import archive, deaths, sign_outs, starts, steps, sweep, watch
from chalicelib.lives import restart as restarting
from chalicelib.publishing import publish, retention
from chalicelib.syncs import asking
from chalicelib.syncs import steps as sync_steps
from chalicelib.syncs.definition import NOT_TOLD

INSTANCES_STREAM = os.environ.get(
    "SHEEN_INSTANCES_STREAM_ARN",
    "arn:aws:dynamodb:us-east-1:123456789012:table/sheen-local-instances/stream/local",
)
"""Known once the table exists. Like the next four, it is only read by packaging."""
ERRANDS_STREAM = os.environ.get(
    "SHEEN_ERRANDS_STREAM_ARN",
    "arn:aws:dynamodb:us-east-1:123456789012:table/sheen-local-errands/stream/local",
)
CLUSTER = os.environ.get(
    "SHEEN_CLUSTER_ARN", "arn:aws:ecs:us-east-1:123456789012:cluster/sheen-local"
)
BUCKETS = os.environ.get("SHEEN_EVENT_BUCKETS", "sheen-local").split()
"""The deployment's own bucket, then other buckets that syncs read.

Event rules without bucket names would match objects in the whole account.
"""
TRANSFERS = os.environ.get("SHEEN_TRANSFERS", "arn:aws:datasync:us-east-1:123456789012:task/")
"""ARN prefix of DataSync's task executions here.

The deployment's own tasks are not known before they are made.
"""

app = ProxyChalice("sheen")
app.experimental_feature_flags.update(["WEBSOCKETS"])
app.api.binary_types = ANYTHING

here = Environment()
app.register_middleware(here.around)


@app.route("/", methods=METHODS, content_types=ANYTHING)
def root() -> ProxyResponse:
    """Answer the site's root: the app there, or the list of apps."""
    return app.pass_on(here.visits.answer)


@app.route("/{proxy+}", methods=METHODS, content_types=ANYTHING)
def anything() -> ProxyResponse:
    """Answer every other path (FACTS C1)."""
    return app.pass_on(here.visits.answer)


@app.on_ws_connect()
def websocket_connect(event: WebsocketEvent) -> dict[str, Any]:
    """Handle a browser that wants to connect."""
    return here.connections.connect(event.to_dict())


@app.on_ws_message()
def websocket_message(event: WebsocketEvent) -> dict[str, Any]:
    """Handle a frame from a browser."""
    return here.connections.message(event.to_dict())


@app.on_ws_disconnect()
def websocket_disconnect(event: WebsocketEvent) -> dict[str, Any]:
    """Handle the end of a connection."""
    return here.connections.disconnect(event.to_dict())


# LATEST would miss rows written while the trigger is being set up.
@app.on_dynamodb_record(stream_arn=INSTANCES_STREAM, starting_position="TRIM_HORIZON")
def on_instance_change(event: DynamoDBEvent) -> streams.Accepted:
    """Start claimed instances, and claim missing spares, when rows of instances change."""
    return starts.on_change(event.to_dict()["Records"], here.settings, here.clock())


@app.on_dynamodb_record(stream_arn=ERRANDS_STREAM, batch_size=10, starting_position="TRIM_HORIZON")
def on_errand(event: DynamoDBEvent) -> streams.Accepted:
    """Do what a function in the VPC has asked for."""
    here.bind()
    context: Any = event.context
    return here.errands.on_change(
        event.to_dict()["Records"],
        lambda: float(context.get_remaining_time_in_millis()) / 1000,
    )


@app.on_dynamodb_record(stream_arn=ERRANDS_STREAM, batch_size=1, starting_position="TRIM_HORIZON")
def on_sign_in(event: DynamoDBEvent) -> streams.Accepted:
    """Check a password that a visitor has sent."""
    here.bind()
    return here.sign_ins.on_change(event.to_dict()["Records"])


@app.on_cw_event(
    {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {"clusterArn": [CLUSTER], "lastStatus": ["STOPPED"]},
    }
)
def on_task_stopped(event: CloudWatchEvent) -> None:
    """Handle the end of a task."""
    deaths.on_task_stopped(
        event.detail, here.settings.cluster, here.settings.connections_url, here.clock
    )


@app.lambda_function()
def task_run(event: run_task.RunEvent, context: Any) -> None:
    """Start a task that a state machine waits for."""
    run_task.run(event, here.settings)


@app.lambda_function()
def instance_watch(event: watch.WatchEvent, context: Any) -> None:
    """Put an instance into service (a step of its state machine)."""
    watch.watch(event, here.agents, here.clock)


@app.lambda_function()
def agents_restart(event: restarting.RestartEvent, context: Any) -> restarting.RestartCount:
    """Restart an app (invoked by the command, a publish or a sync)."""
    here.bind()
    return restarting.restart(event, here.agents, here.clock)


@app.lambda_function()
def logins_end(event: dict[str, Any], context: Any) -> dict[str, int]:
    """End the sessions of logins that have ended (invoked by the command)."""
    here.bind()
    return sign_outs.on_demand(event, here.agents)


@app.lambda_function()
def instance_drain(event: dict[str, Any], context: Any) -> dict[str, bool]:
    """Drain an instance, if it has no sessions (a step of its state machine).

    A draining instance takes no new sessions.
    """
    here.bind()
    return steps.drain(event, here.clock)


@app.lambda_function()
def instance_stop(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Stop a drained instance (a step of its state machine)."""
    return steps.stop(event, here.settings.cluster, here.clock)


@app.lambda_function()
def instance_fail(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Clean up after a failed instance (a step of its state machine)."""
    return steps.fail(event, here.settings.cluster, here.settings.connections_url, here.clock)


@app.schedule("rate(5 minutes)")
def sweeper(event: CloudWatchEvent) -> None:
    """Repair what every other path missed."""
    sweep.sweep(here.settings, here.clock)


@app.schedule("rate(1 day)")
def keep_active(event: CloudWatchEvent) -> None:
    """Invoke every function in the VPC, so that Lambda does not make it inactive."""
    keeping.keep_active(here.settings.vpc_functions)


@app.lambda_function()
def app_configure(event: dict[str, Any], context: Any) -> configure.AppConfiguration:
    """Show or change an app's settings (invoked by the command or another permitted caller).

    ``event`` is ``{"location": "/PATH", "settings": {NAME: VALUE}}``.
    """
    here.bind()
    return configure.on_demand(event, here.clock)


@app.lambda_function()
def config_change(event: dict[str, Any], context: Any) -> Mapping[str, object]:
    """Let another configuration hold, or none (invoked by the command)."""
    from chalicelib.applying import changes  # few functions need the reader

    return changes.on_demand(event, here.settings.bucket, here.clock)


@app.on_cw_event(
    {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": BUCKETS[:1]}, "object": {"key": [CONFIGURATION]}},
    }
)
def on_configuration_written(event: CloudWatchEvent) -> None:
    """Apply a configuration that was uploaded."""
    from chalicelib.applying import uploads

    uploads.on_upload(event.to_dict(), here.settings.bucket, here.clock)


@app.lambda_function()
def app_archive(event: archive.LocationEvent, context: Any) -> dict[str, int]:
    """Archive an app (invoked by the command)."""
    return archive.archive(event, here.settings, here.clock)


@app.lambda_function()
def app_delete(event: archive.LocationEvent, context: Any) -> dict[str, int]:
    """Delete an archived app permanently (invoked by the command)."""
    return archive.delete(event, here.settings, here.clock)


@app.lambda_function()
def publish_check(event: dict[str, Any], context: Any) -> publish.Upload:
    """Check an upload that has arrived (a step of publishing)."""
    return publish.check(event, here.settings.bucket, here.settings.largest_bundle, here.clock)


@app.lambda_function()
def publish_register(event: dict[str, Any], context: Any) -> None:
    """Register a version that has been built (a step of publishing)."""
    here.bind()
    publish.register(event, here.clock)


@app.lambda_function()
def publish_activate(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Make the built version the active one (a step of publishing)."""
    here.bind()
    return publish.activate(event, here.clock)


@app.lambda_function()
def publish_report(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Tell the author the outcome (a step of publishing)."""
    return publish.report(event, here.settings.bucket, here.clock)


@app.lambda_function()
def publish_reject(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Tell the author why an upload was rejected (a step of publishing)."""
    return publish.reject(event, here.settings, here.clock)


@app.lambda_function()
def sync(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Start a sync on demand: ``{"sync": NAME, "prefix": "…", "wait": true}``."""
    return asking.on_demand(event, here.settings, here.clock, context.get_remaining_time_in_millis)


@app.schedule("rate(5 minutes)")
def sync_tick(event: CloudWatchEvent) -> None:
    """Start syncs that are due, and look after those that run."""
    asking.tick(here.settings, here.clock())


@app.lambda_function()
def sync_step(event: dict[str, Any], context: Any) -> sync_steps.Order:
    """Return what the state machine of a sync's run does next."""
    return sync_steps.step(event, here.settings, here.clock)


@app.lambda_function()
def sync_follow(event: dict[str, Any], context: Any) -> None:
    """Arrange for the state machine of a sync's run to be told when DataSync has finished."""
    here.bind()
    sync_steps.follow(event)


@app.on_cw_event(
    {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": BUCKETS},
            "object": {"key": [{"anything-but": {"prefix": NOT_TOLD}}]},
        },
    }
)
def on_object_written(event: CloudWatchEvent) -> None:
    """Request a copy of an object that was written, if it is urgent data."""
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
    """Handle the end of a DataSync execution."""
    here.bind()
    sync_steps.on_transfer_change(event.to_dict())


@app.schedule("rate(6 hours)")
def tidy_sweep(event: CloudWatchEvent) -> None:
    """Start the removal of versions no longer used, and of the remains of deleted apps."""
    retention.sweep(here.settings.state_machine("tidy"), here.clock)


@app.lambda_function()
def tidy_begin(event: retention.TidyEvent, context: Any) -> list[retention.Removal]:
    """Mark the versions of an app that are to be removed (a step of tidying)."""
    here.bind()
    return retention.begin(event, here.clock)


@app.lambda_function()
def tidy_finish(event: retention.Removal, context: Any) -> None:
    """Forget a version whose files are gone (a step of tidying)."""
    retention.finish(event, here.settings.bucket)
