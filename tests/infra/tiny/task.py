"""A small task: does what its first argument says."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import boto3


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def metadata():
    with urllib.request.urlopen(  # noqa: S310
        os.environ["ECS_CONTAINER_METADATA_URI_V4"] + "/task"
    ) as response:
        return json.load(response)


def main(what):
    if what == "ready":  # tells the state machine, then beats until it is told to stop
        states = boto3.client("stepfunctions")
        address = metadata()["Containers"][0]["Networks"][0]["IPv4Addresses"][0]
        output = {"address": address, "task_arn": metadata()["TaskARN"]}
        states.send_task_success(taskToken=os.environ["TOKEN"], output=json.dumps(output))
    elif what == "fail":
        boto3.client("stepfunctions").send_task_failure(
            taskToken=os.environ["TOKEN"], error="AppStartFailed", cause="no app"
        )
    elif what == "beat":
        states = boto3.client("stepfunctions")
        for _ in range(int(os.environ["BEATS"])):
            states.send_task_heartbeat(taskToken=os.environ["TOKEN"])
            time.sleep(0.5)
        return
    elif what == "environment":
        say(json.dumps(dict(os.environ)))
        say(json.dumps(boto3.client("sts").get_caller_identity()["Account"]))
        return
    elif what == "exit":
        sys.exit(7)
    elif what == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif what == "family":  # a grandchild in a session of its own
        subprocess.Popen(["setsid", "setsid", "sleep", "1000077"])
    say(f"doing {what}")
    signal.sigtimedwait([signal.SIGUSR1], 600)


main(sys.argv[1])
