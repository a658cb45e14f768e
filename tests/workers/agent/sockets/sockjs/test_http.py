"""HTTP/1.0 and 1.1: lengths, chunks and connections that are kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.workers.agent.sockets.sockjs.wire import Server

Session = Callable[..., str]
KEPT = {"Connection": "Keep-Alive"}


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_short_answer_has_a_length_and_leaves_the_connection_open(
    server: Server, version: str
) -> None:
    connection = await server.connect()
    for _ in range(2):
        answer = await connection.ask("GET", "/echo", KEPT, version=version)
        assert answer.status == 200 and answer.version in ("1.0", "1.1")
        assert answer["Content-Length"] == "19" and not answer["Transfer-Encoding"]
        assert answer["Connection"].lower() in (
            ("keep-alive",) if version == "1.0" else ("", "keep-alive")
        )
        assert await answer.body() == "Welcome to SockJS!\n"


async def test_without_keep_alive_1_0_closes(server: Server) -> None:
    connection = await server.connect()
    assert (
        await (await connection.ask("GET", "/echo", version="1.0")).body() == "Welcome to SockJS!\n"
    )
    assert await connection.closed()


async def test_streaming_on_1_0_ends_with_the_connection(server: Server, session: Session) -> None:
    connection = await server.connect()
    answer = await connection.ask(
        "POST", session("/close") + "/xhr_streaming", KEPT, b"", version="1.0"
    )
    assert answer.status == 200
    assert not answer["Transfer-Encoding"] and not answer["Content-Length"]
    assert (await answer.exactly(2049))[0] == "h"
    assert await answer.exactly(2) == "o\n"
    assert await answer.exactly(19) == 'c[3000,"Go away!"]\n'
    assert await connection.closed()


async def test_streaming_on_1_1_is_chunked_and_leaves_the_connection_open(
    server: Server, session: Session
) -> None:
    connection = await server.connect()
    answer = await connection.ask("POST", session("/close") + "/xhr_streaming", KEPT, b"")
    assert answer.status == 200
    assert answer["Transfer-Encoding"].lower() == "chunked" and not answer["Content-Length"]
    assert (await answer.chunk())[0] == "h"
    assert [await answer.chunk() for _ in range(3)] == ["o\n", 'c[3000,"Go away!"]\n', ""]
    assert (await connection.ask("GET", "/echo", KEPT)).status == 200


async def test_a_poll_a_send_and_a_poll_on_one_connection(server: Server, session: Session) -> None:
    url = session()
    connection = await server.connect()
    assert await (await connection.ask("POST", url + "/xhr", body=b"")).body() == "o\n"
    assert (await connection.ask("POST", url + "/xhr_send", body=b'["a"]')).status == 204
    assert await (await connection.ask("POST", url + "/xhr", body=b"")).body() == 'a["a"]\n'
