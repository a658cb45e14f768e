"""Each HTTP transport: headers, framing, limits and errors."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.workers.agent.sockets.sockjs import expectations as expect
from tests.workers.agent.sockets.sockjs.wire import Server

PRELUDE = "h" * 2048 + "\n"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
Session = Callable[..., str]

HTMLFILE = """<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.callback;
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>"""


async def send(server: Server, url: str, body: str) -> None:
    answer, text = await server.post(url + "/xhr_send", body)
    assert (answer.status, text) == (204, "")


class TestXhrPolling:
    @pytest.mark.parametrize("name", ["xhr", "xhr_send"])
    async def test_options(self, server: Server, name: str) -> None:
        await expect.options(server, f"/echo/abc/abc/{name}", "OPTIONS, POST")
        expect.not_allowed(*await server.get(f"/echo/abc/abc/{name}"))

    async def test_transport(self, server: Server, session: Session) -> None:
        url = session()
        answer, body = await server.post(url + "/xhr")
        assert (answer.status, body) == (200, "o\n")
        expect.content_type(answer, expect.SCRIPT)
        expect.cors(answer)
        expect.not_cached(answer)
        answer, body = await server.post(url + "/xhr_send", '["x"]')
        assert (answer.status, body) == (204, "")
        expect.content_type(answer, expect.PLAIN)
        expect.cors(answer)
        expect.not_cached(answer)
        expect.no_cookie(answer)
        assert (await server.post(url + "/xhr"))[1] == 'a["x"]\n'

    async def test_a_session_that_is_not_there(self, server: Server, session: Session) -> None:
        assert (await server.post(session() + "/xhr_send", '["x"]'))[0].status == 404

    async def test_what_is_no_message_is_refused_and_harmless(
        self, server: Server, session: Session
    ) -> None:
        url = session()
        assert (await server.post(url + "/xhr"))[1] == "o\n"
        for broken, why in {
            '["x': "Broken JSON encoding.",
            "": "Payload expected.",
            "{}": "Payload expected.",
            "[1]": "Payload expected.",
            '"x"': "Payload expected.",
            "[" * 100_000: "Broken JSON encoding.",
        }.items():
            answer, body = await server.post(url + "/xhr_send", broken)
            assert answer.status == 500 and why in body
        answer, body = await server.post(url + "/xhr_send", b'["\xff"]')
        assert answer.status == 500 and "Broken JSON encoding." in body
        await send(server, url, '["a"]')
        assert (await server.post(url + "/xhr"))[1] == 'a["a"]\n'

    async def test_any_content_type(self, server: Server, session: Session) -> None:
        url = session()
        assert (await server.post(url + "/xhr"))[1] == "o\n"
        types = [
            "text/plain",
            "T",
            "application/json",
            "application/xml",
            "",
            "application/json; charset=utf-8",
            "text/xml; charset=utf-8",
        ]
        for kind in types:
            assert (await server.post(url + "/xhr_send", '["a"]', {"Content-Type": kind}))[
                0
            ].status == 204
        assert (await server.post(url + "/xhr"))[1] == "a[" + ",".join(['"a"'] * len(types)) + "]\n"

    async def test_requested_headers_are_allowed(self, server: Server, session: Session) -> None:
        for asked, allowed in (("a, b, c", "a, b, c"), ("", ""), (None, ""), ("a\x01b", "")):
            answer, _ = await server.post(
                session() + "/xhr",
                b"",
                {} if asked is None else {"Access-Control-Request-Headers": asked},
            )
            if asked == "a\x01b":
                assert answer.status == 400 or not answer["Access-Control-Allow-Headers"]
                continue
            assert answer.status == 200
            expect.cors(answer)
            assert answer["Access-Control-Allow-Headers"] == allowed

    async def test_a_body_up_to_the_limit_passes_and_a_larger_one_does_not(
        self, server: Server, session: Session
    ) -> None:
        url = session()
        assert (await server.post(url + "/xhr"))[1] == "o\n"
        large = json.dumps(["x" * (6 * 2**20 - 4)])
        await send(server, url, large)
        assert (await server.post(url + "/xhr"))[1] == "a" + large + "\n"
        answer = await server.ask("POST", url + "/xhr_send", body=json.dumps(["x" * (6 * 2**20)]))
        assert answer.status == 413


class TestXhrStreaming:
    async def test_options(self, server: Server) -> None:
        await expect.options(server, "/echo/abc/abc/xhr_streaming", "OPTIONS, POST")

    async def test_transport(self, server: Server, session: Session) -> None:
        url = session()
        answer = await server.ask("POST", url + "/xhr_streaming", {"Origin": "http://other"})
        assert answer.status == 200
        expect.content_type(answer, expect.SCRIPT)
        expect.cors(answer, "http://other")
        expect.not_cached(answer)
        assert [await answer.chunk(), await answer.chunk()] == [PRELUDE, "o\n"]
        await send(server, url, '["x"]')
        assert await answer.chunk() == 'a["x"]\n'

    async def test_it_ends_after_enough(self, server: Server, session: Session) -> None:
        url = session()
        answer = await server.ask("POST", url + "/xhr_streaming")
        assert [await answer.chunk(), await answer.chunk()] == [PRELUDE, "o\n"]
        message = '["' + "x" * 128 + '"]'
        for _ in range(31):
            await send(server, url, message)
            assert await answer.chunk() == f"a{message}\n"
        assert await answer.chunk() == ""
        again = await server.ask("POST", url + "/xhr_streaming")
        assert await again.chunk() == PRELUDE
        await send(server, url, '["goes on"]')
        assert await again.chunk() == 'a["goes on"]\n'


class TestEventSource:
    async def test_transport(self, server: Server, session: Session) -> None:
        url = session()
        answer = await server.ask("GET", url + "/eventsource")
        assert answer.status == 200
        expect.content_type(answer, "text/event-stream")
        expect.not_cached(answer)
        assert [await answer.chunk(), await answer.chunk()] == ["\r\n", "data: o\r\n\r\n"]
        await send(server, url, '["x"]')
        assert await answer.chunk() == 'data: a["x"]\r\n\r\n'
        await send(server, url, r'["  \u0000\n\r "]')
        assert await answer.chunk() == 'data: a["  \\u0000\\n\\r "]\r\n\r\n'
        expect.not_allowed(*await server.post(url + "/eventsource"))

    async def test_it_ends_after_enough(self, server: Server, session: Session) -> None:
        url = session()
        answer = await server.ask("GET", url + "/eventsource")
        assert [await answer.chunk(), await answer.chunk()] == ["\r\n", "data: o\r\n\r\n"]
        message = '["' + "x" * 4096 + '"]'
        await send(server, url, message)
        assert [await answer.chunk(), await answer.chunk()] == [f"data: a{message}\r\n\r\n", ""]


class TestHtmlFile:
    async def test_transport(self, server: Server, session: Session) -> None:
        url = session()
        answer = await server.ask("GET", url + "/htmlfile?c=%63allback")
        assert answer.status == 200
        expect.content_type(answer, expect.HTML)
        expect.not_cached(answer)
        head = await answer.chunk()
        assert head.strip() == HTMLFILE and len(head) > 1024
        assert await answer.chunk() == '<script>\np("o");\n</script>\r\n'
        await send(server, url, '["x"]')
        assert await answer.chunk() == '<script>\np("a[\\"x\\"]");\n</script>\r\n'

    @pytest.mark.parametrize("name", ["htmlfile", "jsonp"])
    async def test_it_needs_a_callback(self, server: Server, name: str) -> None:
        for query, why in (
            ("", '"callback" parameter required'),
            ("?c=", '"callback" parameter required'),
            ("?c=alert(1)//", 'invalid "callback" parameter'),
            ("?c=%3Cscript%3E", 'invalid "callback" parameter'),
        ):
            answer, body = await server.get(f"/echo/a/a/{name}{query}")
            assert answer.status == 500 and why in body
            expect.content_type(answer, expect.PLAIN)

    async def test_it_ends_after_enough(self, server: Server, session: Session) -> None:
        url = session()
        answer = await server.ask("GET", url + "/htmlfile?c=callback")
        assert await answer.chunk() and await answer.chunk() == '<script>\np("o");\n</script>\r\n'
        await send(server, url, '["' + "x" * 4096 + '"]')
        assert await answer.chunk() == '<script>\np("a[\\"' + "x" * 4096 + '\\"]");\n</script>\r\n'
        assert await answer.chunk() == ""

    async def test_a_message_cannot_end_the_script_that_it_stands_in(
        self, server: Server, session: Session
    ) -> None:
        url = session()
        answer = await server.ask("GET", url + "/htmlfile?c=callback")
        assert await answer.chunk() and await answer.chunk()
        await send(server, url, '["</script><!--\u2028"]')
        part = await answer.chunk()
        assert part.count("<") == 2 and "\u2028" not in part
        literal = part.removeprefix("<script>\np(").removesuffix(");\n</script>\r\n")
        assert json.loads(json.loads(literal)[1:]) == ["</script><!--\u2028"]


class TestJsonpPolling:
    async def test_transport(self, server: Server, session: Session) -> None:
        url = session()
        answer, body = await server.get(url + "/jsonp?c=%63allback")
        assert (answer.status, body) == (200, '/**/callback("o");\r\n')
        expect.content_type(answer, expect.SCRIPT)
        expect.not_cached(answer)
        answer, body = await server.post(url + "/jsonp_send", "d=%5B%22x%22%5D", FORM)
        assert (answer.status, body) == (200, "ok")
        expect.content_type(answer, expect.PLAIN)
        expect.not_cached(answer)
        assert (await server.get(url + "/jsonp?c=%63allback"))[
            1
        ] == '/**/callback("a[\\"x\\"]");\r\n'

    async def test_what_is_no_message_is_refused_and_harmless(
        self, server: Server, session: Session
    ) -> None:
        url = session()
        assert (await server.get(url + "/jsonp?c=x"))[1] == '/**/x("o");\r\n'
        answer, body = await server.post(url + "/jsonp_send", "d=%5B%22x", FORM)
        assert answer.status == 500 and "Broken JSON encoding." in body
        for data in ("", "d=", "p=p", "&".join("d=1" for _ in range(100))):
            answer, body = await server.post(url + "/jsonp_send", data, FORM)
            assert answer.status == 500 and "Payload expected." in body
        assert (await server.post(url + "/jsonp_send", "d=%5B%22b%22%5D", FORM))[1] == "ok"
        answer, body = await server.get(url + "/jsonp?c=x")
        assert (answer.status, body) == (200, '/**/x("a[\\"b\\"]");\r\n')
        assert (await server.post("/echo/000/nobody/jsonp_send", "d=%5B%5D", FORM))[0].status == 404

    async def test_forms_and_plain_bodies(self, server: Server, session: Session) -> None:
        url = session()
        assert (await server.get(url + "/jsonp?c=x"))[1] == '/**/x("o");\r\n'
        assert (await server.post(url + "/jsonp_send", "d=%5B%22abc%22%5D", FORM))[1] == "ok"
        assert (
            await server.post(url + "/jsonp_send", '["%61bc"]', {"Content-Type": "text/plain"})
        )[1] == "ok"
        assert (await server.get(url + "/jsonp?c=x"))[1] == '/**/x("a[\\"abc\\",\\"%61bc\\"]");\r\n'

    async def test_close(self, server: Server, session: Session) -> None:
        url = session("/close")
        assert (await server.get(url + "/jsonp?c=x"))[1] == '/**/x("o");\r\n'
        for _ in range(2):
            assert (await server.get(url + "/jsonp?c=x"))[
                1
            ] == '/**/x("c[3000,\\"Go away!\\"]");\r\n'


class TestCookies:
    async def test_polling_sets_the_cookie_and_echoes_one_that_is_there(
        self, server: Server, session: Session
    ) -> None:
        answer, body = await server.post(session("/cookie_needed_echo") + "/xhr")
        assert (answer.status, body) == (200, "o\n")
        expect.cookie(answer)
        answer, body = await server.post(
            session("/cookie_needed_echo") + "/xhr", b"", {"Cookie": "a=b; JSESSIONID=abcdef; c=d"}
        )
        assert (answer.status, body) == (200, "o\n")
        expect.cookie(answer, "abcdef")

    @pytest.mark.parametrize(
        "method, name",
        [("POST", "xhr_streaming"), ("GET", "eventsource"), ("GET", "htmlfile?c=callback")],
    )
    async def test_streaming_sets_it(
        self, server: Server, session: Session, method: str, name: str
    ) -> None:
        answer = await server.ask(method, f"{session('/cookie_needed_echo')}/{name}")
        assert answer.status == 200
        expect.cookie(answer)

    async def test_jsonp_sets_it(self, server: Server, session: Session) -> None:
        url = session("/cookie_needed_echo")
        answer, body = await server.get(url + "/jsonp?c=%63allback")
        assert (answer.status, body) == (200, '/**/callback("o");\r\n')
        expect.cookie(answer)
        answer, body = await server.post(url + "/jsonp_send", "d=%5B%22x%22%5D", FORM)
        assert (answer.status, body) == (200, "ok")
        expect.cookie(answer)
