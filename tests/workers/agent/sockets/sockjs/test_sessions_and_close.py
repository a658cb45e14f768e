"""Session URLs, framing and what closing means, mostly by xhr polling as the protocol's document
does.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.workers.agent.sockets.sockjs.wire import Server

PRELUDE = "h" * 2048 + "\n"
GO_AWAY = 'c[3000,"Go away!"]\n'
ANOTHER = 'c[2010,"Another connection still open"]\n'
INTERRUPTED = 'c[1002,"Connection interrupted"]\n'
Session = Callable[..., str]


async def poll(server: Server, url: str) -> str:
    answer, body = await server.post(url + "/xhr")
    assert answer.status == 200
    return body


async def send(server: Server, url: str, body: str) -> int:
    answer, text = await server.post(url + "/xhr_send", body)
    assert not text or answer.status != 204
    return answer.status


@pytest.mark.parametrize("part", ["/a/a", "/_/_", "/1/1", "/abcdefgh_i-j%20/abcdefg_i-j%20"])
async def test_any_name_of_server_and_session_will_do(server: Server, part: str) -> None:
    assert await poll(server, "/echo" + part) == "o\n"


@pytest.mark.parametrize("part", ["//", "/a./a", "/a/a.", "/./.", "/", "///"])
async def test_but_no_dots_nothing_empty_and_two_parts(server: Server, part: str) -> None:
    assert (await server.get(f"/echo{part}/xhr"))[0].status == 404
    assert (await server.post(f"/echo{part}/xhr"))[0].status == 404


async def test_the_server_part_means_nothing(server: Server) -> None:
    assert await poll(server, "/echo/000/same") == "o\n"
    assert await send(server, "/echo/000/same", '["a"]') == 204
    assert await poll(server, "/echo/999/same") == 'a["a"]\n'


async def test_services_do_not_share_sessions(server: Server) -> None:
    assert await poll(server, "/echo/000/same") == "o\n"
    assert await poll(server, "/amplify/000/same") == "o\n"


async def test_a_simple_session(server: Server, session: Session) -> None:
    url = session()
    assert await poll(server, url) == "o\n"
    assert await send(server, url, '["a"]') == 204
    assert await poll(server, url) == 'a["a"]\n'
    assert await send(server, "/echo/000/bad_session", '["a"]') == 404
    await server.waiting(url + "/xhr")
    assert await poll(server, url) == ANOTHER


async def test_a_waiting_poll_gets_what_comes(server: Server, session: Session) -> None:
    url = session()
    assert await poll(server, url) == "o\n"
    waiting = await server.waiting(url + "/xhr")
    assert await send(server, url, '["a","b"]') == 204
    assert await (await waiting.answer()).body() == 'a["a","b"]\n'


async def test_a_closed_session_says_so_again_and_again(server: Server, session: Session) -> None:
    url = session("/close")
    assert await poll(server, url) == "o\n"
    for _ in range(3):
        assert await poll(server, url) == GO_AWAY
    assert await send(server, url, '["a"]') == 204


async def test_closing_lets_the_receiver_go(server: Server, session: Session) -> None:
    url = session("/close")
    first = await server.ask("POST", url + "/xhr_streaming")
    assert [await first.chunk() for _ in range(3)] == [PRELUDE, "o\n", GO_AWAY]
    second = await server.ask("POST", url + "/xhr_streaming")
    assert [await second.chunk() for _ in range(3)] == [PRELUDE, GO_AWAY, ""]
    assert await first.chunk() == ""


async def test_a_second_receiver_is_closed(server: Server, session: Session) -> None:
    url = session()
    first = await server.ask("POST", url + "/xhr_streaming")
    assert [await first.chunk() for _ in range(2)] == [PRELUDE, "o\n"]
    second = await server.ask("POST", url + "/xhr_streaming")
    assert [await second.chunk() for _ in range(3)] == [PRELUDE, ANOTHER, ""]
    assert await send(server, url, '["still mine"]') == 204
    assert await first.chunk() == 'a["still mine"]\n'


async def test_a_streaming_receiver_that_breaks_off_ends_the_session(
    server: Server, session: Session
) -> None:
    url = session()
    connection = await server.connect()
    first = await connection.ask("POST", url + "/xhr_streaming", body=b"")
    assert [await first.chunk() for _ in range(2)] == [PRELUDE, "o\n"]
    second = await server.ask("POST", url + "/xhr_streaming")
    assert [await second.chunk() for _ in range(3)] == [PRELUDE, ANOTHER, ""]
    connection.abort()
    third = await server.ask("POST", url + "/xhr_streaming")
    assert [await third.chunk() for _ in range(3)] == [PRELUDE, INTERRUPTED, ""]


async def test_a_polling_receiver_that_breaks_off_ends_the_session(
    server: Server, session: Session
) -> None:
    url = session()
    assert await poll(server, url) == "o\n"
    first = await server.waiting(url + "/xhr")
    assert await poll(server, url) == ANOTHER
    await first.close()
    assert await poll(server, url) == INTERRUPTED
    assert await poll(server, url) == INTERRUPTED


async def test_amplify_and_broadcast(server: Server, session: Session) -> None:
    url = session("/amplify")
    assert await poll(server, url) == "o\n"
    assert await send(server, url, '["3"]') == 204
    assert await poll(server, url) == 'a["xxxxxxxx"]\n'
    one, other = session("/broadcast"), session("/broadcast")
    assert [await poll(server, one), await poll(server, other)] == ["o\n", "o\n"]
    assert await send(server, one, '["all"]') == 204
    assert [await poll(server, one), await poll(server, other)] == ['a["all"]\n'] * 2
