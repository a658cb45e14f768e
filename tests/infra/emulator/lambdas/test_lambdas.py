"""Functions in their environments: reused one at a time, ended when they fail, blind to what was
not packaged.
"""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.infra.tiny_process import TinyStack
from tests.support.waiting import until


def test_a_warm_environment_is_used_again(tiny: TinyStack) -> None:
    first, second = tiny.invoke("echo", {"n": 1}), tiny.invoke("echo", {"n": 2})
    assert first["event"] == {"n": 1}
    assert first["pid"] == second["pid"]
    assert tiny.counters()["cold_starts"]["tiny-local-echo"] >= 1


def test_one_environment_runs_one_invocation_at_a_time(tiny: TinyStack) -> None:
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: tiny.invoke("slow", {"seconds": 0.3}), range(4)))
    assert answers == ["done"] * 4
    assert tiny.counters()["cold_starts"]["tiny-local-slow"] >= 2


def test_a_function_that_raises_answers_with_its_error(tiny: TinyStack) -> None:
    error = tiny.error_of("fail")
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no good")
    assert error["stackTrace"]


def test_a_function_that_exits_fails_and_the_next_call_works(tiny: TinyStack) -> None:
    assert tiny.error_of("leave")["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in tiny.error_of("leave")["errorMessage"]


def test_a_function_that_is_too_slow_is_stopped_and_the_next_call_works(tiny: TinyStack) -> None:
    assert "timed out after 1.00 seconds" in tiny.error_of("slow", {"seconds": 5})["errorMessage"]
    assert tiny.invoke("slow", {"seconds": 0}) == "done"


@pytest.mark.parametrize("module", ["aiohttp", "moto", "boto3", "infra"])
def test_what_was_not_packaged_cannot_be_imported(tiny: TinyStack, module: str) -> None:
    assert tiny.invoke("imports", {"module": module}) == f"ImportError: No module named '{module}'"


def test_an_environment_has_lambdas_variables_and_not_the_stacks(tiny: TinyStack) -> None:
    variables = tiny.invoke("environment")["environment"]
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "tiny-local-environment"
    assert variables["AWS_REGION"] == "us-east-1"
    assert variables["AWS_ENDPOINT_URL"] == tiny.url
    assert variables["TINY_NOTES"] == str(tiny.notes_path)
    assert variables["AWS_ACCESS_KEY_ID"] != tiny.environment()["AWS_ACCESS_KEY_ID"]
    assert not {"SHEEN_DATA", "HOME", "PYTHONPATH", "_EMULATOR_BOOTSTRAP"} & variables.keys()


def test_payloads_beyond_six_megabytes_are_refused_either_way(tiny: TinyStack) -> None:
    with pytest.raises(ClientError) as refused:
        tiny.client("lambda").invoke(
            FunctionName="tiny-local-echo", Payload=json.dumps("x" * 6_291_456)
        )
    assert refused.value.response["Error"]["Code"] == "RequestTooLargeException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert tiny.error_of("big", {"size": 6_291_456})["errorType"] == "Function.ResponseSizeTooLarge"
    assert len(tiny.invoke("big", {"size": 6_000_000})) == 6_000_000


def test_an_unknown_function_is_lambdas_own_error(tiny: TinyStack) -> None:
    client = tiny.client("lambda")
    with pytest.raises(
        client.exceptions.ResourceNotFoundException, match="function:tiny-local-nobody"
    ):
        client.invoke(FunctionName="tiny-local-nobody")


def test_an_event_is_tried_three_times(tiny: TinyStack) -> None:
    result = tiny.client("lambda").invoke(
        FunctionName="tiny-local-flaky", InvocationType="Event", Payload="{}"
    )
    assert result["StatusCode"] == 202
    until(
        lambda: "event dropped after three failures of tiny-local-flaky" in tiny.said(),
        what="the event to be given up",
    )
    assert len(tiny.notes("try")) == 3


def test_the_rest_api_answers_from_its_function(tiny: TinyStack) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", tiny.port)
    connection.request("GET", "/any/path?x=1")
    answer = connection.getresponse()
    assert json.load(answer) == {"path": "/any/path"}
    assert answer.headers["Server"] is None
    connection.close()


def test_an_idle_function_in_the_vpc_is_refused_as_aws_does_until_it_is_active_again(
    tiny: TinyStack,
) -> None:
    tiny.invoke("inside", {"host": "127.0.0.1", "port": 1})
    tiny.control("/clock", {"speed": 1_000_000})
    client = tiny.client("lambda")

    def refused() -> bool:
        try:
            client.invoke(
                FunctionName="tiny-local-inside", Payload='{"host": "127.0.0.1", "port": 1}'
            )
        except client.exceptions.ResourceConflictException as error:
            return (
                "Pending" in str(error)
                and error.response["ResponseMetadata"]["HTTPStatusCode"] == 409
            )
        return False

    def refused_after_two_weeks() -> bool:
        time.sleep(1.3)  # two weeks and a day
        return refused()

    until(refused_after_two_weeks, what="the function to be inactive")
    tiny.control("/clock", {"speed": 1000})
    until(lambda: not refused(), what="the function to be active again")
    tiny.control("/clock", {"speed": 1})
    assert tiny.invoke("echo", {}) is not None
