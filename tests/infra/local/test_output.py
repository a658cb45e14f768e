"""The stack's output has the lines that are meant for people, whatever its clients do, and nothing
else.
"""

import re
import socket
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.infra.tiny_process import TinyStack
from tests.support.waiting import until

MB = 1 << 20
LINE = re.compile(r" *\d+\.\d s  \S.*|ready http://127\.0\.0\.1:\d+|stream of .* waits: .*|")


def leave(tiny: TinyStack, head: str, sent: int, *, reset: bool) -> None:
    """Begin a request with a body of 3 MB, and be gone after ``sent`` bytes of it."""
    with socket.create_connection(("127.0.0.1", tiny.port)) as client:
        client.sendall(
            f"{head} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {3 * MB}\r\n\r\n".encode()
            + bytes(sent)
        )
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def strange(text: str) -> list[str]:
    return [line for line in text.splitlines() if not LINE.fullmatch(line)]


@pytest.mark.parametrize("reset", [False, True])
def test_clients_that_leave_are_not_told_of(tiny: TinyStack, reset: bool) -> None:
    link = tiny.client("s3").generate_presigned_url(
        "put_object", Params={"Bucket": "tiny-local", "Key": "passing/left"}
    )
    for sent in (0, 1000, 2 * MB):
        leave(tiny, f"PUT {link.removeprefix(tiny.url)}", sent, reset=reset)
        leave(tiny, "POST /page", sent, reset=reset)
    assert tiny.invoke("echo", {}) is not None
    assert strange(tiny.said()) == []


def test_large_objects_leave_no_trace_now_or_at_the_next_start(own_tiny: TinyStack) -> None:
    own_tiny.start()
    with ThreadPoolExecutor(4) as threads:
        for number in range(24):
            threads.submit(
                own_tiny.client("s3").put_object,
                Bucket="tiny-local",
                Key=f"kept/{number}",
                Body=bytes(2 * MB),
            )
    until(
        lambda: len(list((own_tiny.data / "s3").glob("*.json"))) == 24,
        what="the objects to be kept",
    )
    own_tiny.stop()
    assert strange(own_tiny.said()) == []
    own_tiny.start()
    assert (
        own_tiny.client("s3").head_object(Bucket="tiny-local", Key="kept/23")["ContentLength"]
        == 2 * MB
    )
    own_tiny.stop()
    assert strange(own_tiny.said()) == []
