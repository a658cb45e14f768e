"""WebSockets, framed and raw."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.workers.agent.sockets.sockjs import expectations as expect
from tests.workers.agent.sockets.sockjs.wire import Server

Session = Callable[..., str]
UPGRADE = {"Upgrade": "WebSocket", "Connection": "Upgrade"}


async def opened(server: Server, path: str) -> ClientConnection:
    return await connect(
        f"ws://127.0.0.1:{server.port}{path}", compression=None, max_size=None, close_timeout=1
    )


async def said(socket: ClientConnection) -> str | bytes:
    return await asyncio.wait_for(socket.recv(), 5)


async def test_ordinary_requests_are_refused(server: Server) -> None:
    answer, body = await server.get("/echo/0/0/websocket")
    assert answer.status == 400 and 'Can "Upgrade" only to "WebSocket".' in body
    answer, body = await server.get(
        "/echo/0/0/websocket", {"Upgrade": "WebSocket", "Connection": "close"}
    )
    assert answer.status == 400 and '"Connection" must be "Upgrade".' in body
    for headers in (UPGRADE, {}):
        expect.not_allowed(*await server.post("/echo/0/0/websocket", b"", headers))


async def test_a_service_without_websockets_has_none(server: Server) -> None:
    for path in ("/0/0/websocket", "/websocket"):
        assert (await server.get("/disabled_websocket_echo" + path, UPGRADE))[0].status == 404


async def test_transport_ignores_empty_messages(server: Server, session: Session) -> None:
    async with await opened(server, session() + "/websocket") as socket:
        assert await said(socket) == "o"
        await socket.send("")
        await socket.send('["a"]')
        assert await said(socket) == 'a["a"]'
        await socket.send('"alone"')
        assert await said(socket) == 'a["alone"]'


async def test_close(server: Server, session: Session) -> None:
    socket = await opened(server, session("/close") + "/websocket")
    assert [await said(socket), await said(socket)] == ["o", 'c[3000,"Go away!"]']
    with pytest.raises(ConnectionClosed):
        await said(socket)


async def test_two_sockets_may_have_one_session_id_each_for_itself(
    server: Server, session: Session
) -> None:
    url = session() + "/websocket"
    one, other = await opened(server, url), await opened(server, url)
    assert [await said(one), await said(other)] == ["o", "o"]
    await one.send('["a"]')
    assert await said(one) == 'a["a"]'
    await other.send('["b"]')
    assert await said(other) == 'a["b"]'
    await one.close()
    await other.close()
    async with await opened(server, url) as again:
        assert await said(again) == "o"
        await again.send('["a"]')
        assert await said(again) == 'a["a"]'


@pytest.mark.parametrize(
    "version, connection",
    [("7", "Upgrade"), ("8", "Upgrade"), ("13", "Upgrade"), ("7", "keep-alive, Upgrade")],
)
async def test_the_handshake_of_every_hybi_version(
    server: Server, session: Session, version: str, connection: str
) -> None:
    answer = await server.ask(
        "GET",
        session() + "/websocket",
        {
            "Upgrade": "websocket",
            "Connection": connection,
            "Sec-WebSocket-Version": version,
            "Sec-WebSocket-Origin": "http://asd",
            "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
        },
    )
    assert answer.status == 101
    assert answer["Sec-WebSocket-Accept"] == "HSmrc0sMlYUkAGmm5OPpG2HaGWk="
    assert [answer["Connection"].lower(), answer["Upgrade"].lower()] == ["upgrade", "websocket"]
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize("broken", ['["a', "[1]", "{}", "nonsense", b"binary"])
async def test_garbage_cuts_the_connection(
    server: Server, session: Session, broken: str | bytes
) -> None:
    socket = await opened(server, session() + "/websocket")
    assert await said(socket) == "o"
    await socket.send(broken)
    with pytest.raises(ConnectionClosed):
        await said(socket)


async def test_a_large_message(server: Server, session: Session) -> None:
    async with await opened(server, session() + "/websocket") as socket:
        assert await said(socket) == "o"
        large = '["' + "x" * 8_000_000 + '"]'
        await socket.send(large)
        assert await said(socket) == "a" + large


async def test_raw_has_no_frames(server: Server) -> None:
    async with await opened(server, "/echo/websocket") as socket:
        await socket.send("Hello world!\uffff")
        assert await said(socket) == "Hello world!\uffff"
        await socket.send('["a"]')
        assert await said(socket) == '["a"]'


async def test_raw_close(server: Server) -> None:
    socket = await opened(server, "/close/websocket")
    with pytest.raises(ConnectionClosed) as closed:
        await said(socket)
    assert closed.value.rcvd is not None and (closed.value.rcvd.code, closed.value.rcvd.reason) == (
        3000,
        "Go away!",
    )
