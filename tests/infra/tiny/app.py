"""A small Chalice app that tries what the local stack must do, or must refuse."""

import json
import os
import socket
import sys
import time
from pathlib import Path

from chalice import Chalice
from chalicelib.signed import call

app = Chalice(app_name="tiny")
app.experimental_feature_flags.update(["WEBSOCKETS"])
loaded_at = time.time()


def note(what, **more):
    with Path(os.environ["TINY_NOTES"]).open("a") as file:
        file.write(json.dumps({"what": what, **more}) + "\n")


@app.route("/", methods=["GET"])
def index():
    return {"path": app.current_request.context["path"]}


@app.route("/{proxy+}", methods=["GET", "POST"], content_types=["*/*"])
def anything():
    return {"path": app.current_request.context["path"]}


@app.on_ws_connect()
def websocket_connect(event):
    note("connect")


@app.on_ws_message()
def websocket_message(event):
    note("message", body=event.body)


@app.on_ws_disconnect()
def websocket_disconnect(event):
    note("disconnect")


@app.on_dynamodb_record(
    stream_arn="arn:aws:dynamodb:us-east-1:123456789012:table/tiny-local-things/stream/local",
    batch_size=10,
)
def on_things(event):
    records = event.to_dict()["Records"]
    for record in records:
        if (
            record["dynamodb"].get("NewImage", {}).get("fail_once")
            and not Path(os.environ["TINY_NOTES"] + ".failed").exists()
        ):
            Path(os.environ["TINY_NOTES"] + ".failed").touch()
            raise ValueError("fails once")
    failures = []
    for record in records:
        image = record["dynamodb"].get("NewImage", {})
        number = record["dynamodb"]["SequenceNumber"]
        later = Path(f"{os.environ['TINY_NOTES']}.later-{number}")
        if image.get("never") or (image.get("later") and not later.exists()):
            later.touch()
            note("refused", record=record)
            failures.append({"itemIdentifier": number})
        else:
            note("record", record=record)
    return {"batchItemFailures": failures}


@app.on_cw_event(
    {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {"lastStatus": ["STOPPED"]},
    }
)
def on_task_stopped(event):
    note("task", detail=event.detail)


@app.on_cw_event({"source": ["tiny.test"]})
def on_test_event(event):
    note("event", detail=event.detail, source=event.source)


@app.lambda_function()
def echo(event, context):
    return {
        "event": event,
        "pid": os.getpid(),
        "loaded_at": loaded_at,
        "name": context.function_name,
    }


@app.lambda_function()
def big(event, context):
    return "x" * event["size"]


@app.lambda_function()
def fail(event, context):
    raise ValueError("no good")


@app.lambda_function()
def leave(event, context):
    os._exit(3)


@app.lambda_function()
def slow(event, context):
    time.sleep(event["seconds"])
    return "done"


@app.lambda_function()
def imports(event, context):
    try:
        __import__(event["module"])
    except ImportError as error:
        return f"ImportError: {error}"
    return "imported"


@app.lambda_function()
def flaky(event, context):
    note("try")
    raise ValueError("never works")


def _connect(event):
    try:
        socket.create_connection((event["host"], event["port"]), timeout=2).close()
    except OSError as error:
        return f"OSError: {error}"
    return "connected"


@app.lambda_function()
def inside(event, context):
    if "call" in event:
        return call(**event["call"])
    return _connect(event)


@app.lambda_function()
def outside(event, context):
    if "call" in event:
        return call(**event["call"])
    return _connect(event)


@app.lambda_function()
def watch(event, context):
    note("watch", token=event["token"])
    if event.get("answer") == "retry" and event["attempt"] == 0:
        raise ValueError("not the first time")
    if event.get("answer"):
        return call(
            "states",
            "AWSStepFunctions.SendTaskSuccess",
            {"taskToken": event["token"], "output": '{"idle": true}'},
        )
    return None


@app.lambda_function()
def environment(event, context):
    return {"environment": dict(os.environ), "path": sys.path}
