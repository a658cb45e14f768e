"""A new account's ten concurrent executions, here two: one more is throttled, and AWS's services
show it as they do.
"""

import http.client
import threading
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

from tests.infra.tiny_process import TinyStack
from tests.support.waiting import until


def status_of_a_page(tiny: TinyStack) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", tiny.port)
    connection.request("GET", "/any")
    return connection.getresponse().status


def test_past_the_accounts_concurrency_invocations_are_throttled(own_tiny: TinyStack) -> None:
    own_tiny.concurrency = 2
    own_tiny.start()
    refused: list[str] = []
    over = threading.Event()

    def keep_busy() -> None:
        while not over.is_set():
            try:
                own_tiny.client("lambda").invoke(
                    FunctionName="tiny-local-slow", Payload='{"seconds": 0.5}'
                )
            except ClientError as error:
                refused.append(error.response["Error"]["Code"])

    with ThreadPoolExecutor(3) as threads:
        for _ in range(3):
            threads.submit(keep_busy)
        try:
            until(lambda: refused, what="an invocation to be throttled")
            until(
                lambda: status_of_a_page(own_tiny) == 500,
                what="a REST API that does not pass Lambda's 429 on",
            )
            own_tiny.client("lambda").invoke(
                FunctionName="tiny-local-flaky", InvocationType="Event", Payload="{}"
            )
        finally:
            over.set()
    assert set(refused) == {"TooManyRequestsException"}
    until(lambda: own_tiny.notes("try"), what="the queued event to run after all")
    assert status_of_a_page(own_tiny) == 200
