"""A hostile visitor against a running deployment, beside an honest one whose session must go on
after every try.

The table at the end has every try, with what must come of it.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import aiohttp
import pytest

from tests.support.apps import app
from tests.support.conversation import update
from tests.support.stack import StackProcess
from tests.support.visitor import Visitor

pytestmark = pytest.mark.stack

APP = """
library(shiny)
options(shiny.maxRequestSize = 6e6)
ui <- function(request) {
  seen <- mget(ls(request, pattern = "^HTTP_"), envir = request)
  switch(request$PATH_INFO,
    "/" = fluidPage(
      textInput("said", "Say"), textOutput("heard"), verbatimTextOutput("who"), downloadButton("get"), fileInput("file", "File")
    ),
    "/echo" = httpResponse(200, "application/json", as.character(jsonlite::toJSON(seen, auto_unbox = TRUE))),
    "/tosses" = httpResponse(200, "text/plain", "tossed", headers = list(
      "Set-Cookie" = "own=1; Path=/", "Set-Cookie" = "sheen-visitor=evil; Path=/", "Set-Cookie" = "__Host-sheen-ticket=e; Secure; Path=/",
      "Set-Cookie" = "=sheen-ticket=evil", "Set-Cookie" = "wide=1; Domain=localhost; Path=/hostile",
      "Service-Worker-Allowed" = "/", "Clear-Site-Data" = "*", "Strict-Transport-Security" = "max-age=1", "Alt-Svc" = "h3",
      "NEL" = "{}", "Report-To" = "{}", "Public-Key-Pins" = "x", "X-Own" = "caf\u00e9", "X-Odd" = rawToChar(as.raw(c(0x63, 0xe9)))
    )),
    httpResponse(200, "text/javascript", "// a worker's script")
  )
}
shinyApp(ui, function(input, output, session) {
  output$heard <- renderText(paste0("heard: ", input$said))
  output$who <- renderText(paste(Sys.getpid(), session$token))
  output$get <- downloadHandler("secret.txt", function(file) writeLines("the honest visitor's secret", file))
}, uiPattern = ".*")
"""  # noqa: E501
LOCATION = "/hostile/target"
FORGED = [
    "Shiny-Server-Credentials",
    "X-Forwarded-Prefix",
    "X-Forwarded-For",
    "Remote-User",
    "X-Auth-Request-User",
    "Proxy",
    "Sheen-Session",
]
ID = "hostile0123456789a"


class Stand:
    """The deployment, the honest visitor, and a hostile one with a browser of its own."""

    def __init__(self, stack: StackProcess, url: str, honest: Visitor, hostile: Visitor) -> None:
        self.stack = stack
        self.url = url.rstrip("/")
        self.honest = honest
        self.hostile = hostile
        self.link = ""
        self.job: dict[str, Any] = {}
        self.polled = ""

    async def ask(
        self, method: str, path: str, as_whom: Visitor | None = None, **options: Any
    ) -> tuple[int, str, Any]:
        """Ask as a visitor's browser, the hostile one's if not said otherwise; return status, text
        and headers.
        """
        http = (as_whom or self.hostile).http
        async with http.request(
            method, f"{self.url}/{path}", allow_redirects=False, **options
        ) as answer:
            return answer.status, await answer.text(), answer.headers

    async def upload(self, action: str, as_whom: Visitor | None = None, **said: Any) -> int:
        """Ask the uploads' API; return the status."""
        visitor = as_whom or self.hostile
        worker, ticket = visitor.config["worker"], visitor.config["ticket"]
        return (
            await self.ask(
                "POST",
                f"__sheen__/uploads{action}?w={worker}",
                visitor,
                json={"ticket": ticket, **said},
            )
        )[0]

    async def prepare(self) -> None:
        """Have the honest visitor get a link to a download, agree on an upload, and open a second
        page that polls.
        """
        await self.honest.conversation.tell(
            "0|m|" + update(**{".clientdata_output_get_hidden": False})
        )
        self.link = await self.honest.until("get", bool)
        files = [{"name": "a.bin", "size": 5_000_000, "type": ""}]
        self.job = await self.hostile.conversation.call("uploadInit", files)
        async with self.honest.http.get(f"{self.url}/", headers={"accept": "text/html"}) as answer:
            found = re.search(r'"worker":"([^"]+)"', await answer.text())
        assert found
        self.polled = f"__sockjs__/n={ID}/w={found[1]}/000/honest"
        assert (await self.ask("POST", f"{self.polled}/xhr", self.honest))[1] == "o\n"
        assert (await self.ask("POST", f"{self.polled}/xhr_send", self.honest, data='["0#0|o|"]'))[
            0
        ] == 204

    async def raw(self, *lines: bytes) -> int:
        """Send a request for ``echo`` with these header lines, byte by byte; return the status."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.stack.port)
        try:
            head = [
                f"GET {LOCATION}/echo HTTP/1.1".encode(),
                b"Host: 127.0.0.1",
                b"Connection: close",
                *lines,
                b"",
                b"",
            ]
            writer.write(b"\r\n".join(head))
            return int((await reader.readline()).split()[1])
        finally:
            writer.close()


async def forge(stand: Stand, spell: Callable[[str], str]) -> object:
    sent = {spell(name): "forged" for name in FORGED} | {
        "Cookie": "own=1; sheen-ticket=mine; __Host-sheen-visitor=mine"
    }
    status, text, _ = await stand.ask("GET", "echo", headers=sent)
    seen = json.loads(text)
    return (
        status,
        [name for name, value in seen.items() if "forged" in str(value)],
        seen["HTTP_X_FORWARDED_PREFIX"],
        seen["HTTP_COOKIE"],
    )


async def another_process(stand: Stand) -> object:
    return (await stand.ask("GET", "echo", headers={"Shiny_Shared_Secret": "guess"}))[0]


async def bytes_in_values(stand: Stand) -> object:
    odd = [b"\xe9", "€".encode(), b"\xff\xfe\x80", b"\xc3("]
    statuses = {await stand.raw(b"X-App-Odd: " + value, b"Cookie: a=" + value) for value in odd}
    assert await stand.raw(b"X-App-Odd: a\x00b") in (200, 400)
    return statuses, (await stand.ask("GET", "echo", stand.honest))[0]


async def anothers_link(stand: Stand, **headers: str) -> object:
    status, text, _ = await stand.ask("GET", stand.link, headers=headers)
    return status, "secret" in text


async def ones_own_link(stand: Stand) -> object:
    status, text, _ = await stand.ask(
        "GET", stand.link, stand.honest, headers={"Sec-Fetch-Site": "same-origin"}
    )
    return status, text.strip()


async def other_spelling_of_a_link(stand: Stand) -> object:
    return (await stand.ask("GET", stand.link.replace("session/", "%73ession/", 1)))[0]


async def a_guessed_token(stand: Stand) -> object:
    return (
        await stand.ask(
            "GET", re.sub("session/[0-9a-f]+/", f"session/{secrets.token_hex(16)}/", stand.link)
        )
    )[0]


async def resume(stand: Stand, kind: str, **headers: str) -> object:
    worker = stand.honest.config["worker"]
    url = f"__sockjs__/{kind}={ID}/w={worker}/000/{secrets.token_hex(4)}/xhr"
    return [(await stand.ask("POST", url, headers=headers))[1][:7] for _ in range(2)]


async def anothers_poll(stand: Stand) -> object:
    return [
        (await stand.ask("POST", f"{stand.polled}/{what}", data='["1#0|m|{}"]'))[0]
        for what in ("xhr", "xhr_send")
    ]


async def ones_own_poll(stand: Stand) -> object:
    return '\\"sessionId\\"' in (await stand.ask("POST", f"{stand.polled}/xhr", stand.honest))[1]


async def room(stand: Stand, size: int, target: str = "") -> object:
    return await stand.upload(
        "", target=target or stand.job["uploadUrl"], size=size, type="text/csv"
    )


async def a_scripts_body(stand: Stand, target: str) -> object:
    return await stand.upload("", method="POST", target=f"/{target}", size=10, type="text/plain")


async def anothers_upload(stand: Stand) -> object:
    ticket, worker = stand.hostile.config["ticket"], stand.hostile.config["worker"]
    wish = {
        "ticket": ticket,
        "target": stand.job["uploadUrl"],
        "size": 5_000_000,
        "type": "text/csv",
    }
    status, text, _ = await stand.ask("POST", f"__sheen__/uploads?w={worker}", json=wish)
    upload = json.loads(text)["id"]
    told = [
        await stand.upload(f"/{upload}/{action}", stand.honest, parts=[1])
        for action in ("links", "complete", "wait", "abort")
    ]
    return status, told, await stand.upload(f"/{upload}/abort")


async def tossed(stand: Stand) -> object:
    async with aiohttp.ClientSession() as http, http.get(f"{stand.url}/tosses") as answer:
        governing = {
            "service-worker-allowed",
            "clear-site-data",
            "strict-transport-security",
            "alt-svc",
            "nel",
            "report-to",
            "public-key-pins",
        }
        told = {name.lower() for name in answer.headers}
        return (
            answer.headers.getall("Set-Cookie"),
            governing & told,
            answer.headers["X-Own"],
            answer.headers["X-Odd"],
        )


async def service_worker(stand: Stand) -> object:
    asks = {"Service-Worker": "script"}
    own, _, headers = await stand.ask("GET", "sw.js", headers=asks)
    return stand.stack.get("/sw.js", asks).status, own, headers.get("Service-Worker-Allowed")


async def kept_away(stand: Stand) -> object:
    told = []
    for location in ("/hostile/nothing", "/hostile/private"):
        answer = stand.stack.get(f"{location}/", {"accept": "text/html"})
        ids = {"date", "x-amzn-requestid", "x-amz-apigw-id", "x-amzn-trace-id", "content-length"}
        headers = sorted(
            (name, value) for name, value in answer.headers.items() if name.lower() not in ids
        )
        told.append((answer.status, headers, answer.text.replace(location, "")))
    return told[0] == told[1], told[0][0]


class Try(NamedTuple):
    """What is tried, and what must come of it."""

    what: str
    attempt: Callable[[Stand], Awaitable[object]]
    must: object


UNFORGED: tuple[int, list[str], str, str] = (200, [], LOCATION, "own=1")
REFUSED = ["o\n", "c[4705,"]
TRIES = [
    Try("forge headers", lambda stand: forge(stand, str), UNFORGED),
    Try("forge headers in capitals", lambda stand: forge(stand, str.upper), UNFORGED),
    Try(
        "forge headers with underscores",
        lambda stand: forge(stand, lambda name: name.replace("-", "_")),
        UNFORGED,
    ),
    Try("forge the secret that R asks for", another_process, 200),
    Try("send header values of any bytes", bytes_in_values, ({200}, 200)),
    Try("fetch another's download", anothers_link, (403, False)),
    Try(
        "… with an empty cookie",
        lambda stand: anothers_link(stand, Cookie="sheen-visitor="),
        (403, False),
    ),
    Try("… in another spelling", other_spelling_of_a_link, 403),
    Try("fetch one's own download", ones_own_link, (200, "the honest visitor's secret")),
    Try("guess a token", a_guessed_token, 404),
    Try("take a session by its robust id", lambda stand: resume(stand, "n"), REFUSED),
    Try("resume another's session", lambda stand: resume(stand, "o"), REFUSED),
    Try(
        "… from another site",
        lambda stand: resume(stand, "o", Origin="https://evil.example"),
        REFUSED,
    ),
    Try("read and write on another's poll", anothers_poll, [404, 404]),
    Try("poll one's own session", ones_own_poll, True),
    Try("ask for more room than R accepted", lambda stand: room(stand, 5 * 1024**4), 400),
    Try("ask for less", lambda stand: room(stand, 4_999_999), 400),
    Try(
        "ask for room that R never heard of",
        lambda stand: room(stand, 5_000_000, "session/00c0ffee/upload/job?w=1"),
        400,
    ),
    Try(
        "send a script's body to another's session",
        lambda stand: a_scripts_body(stand, stand.link),
        400,
    ),
    Try(
        "… in another spelling",
        lambda stand: a_scripts_body(stand, stand.link.replace("session", "%73ession", 1)),
        400,
    ),
    Try("send one to the app", lambda stand: a_scripts_body(stand, "echo"), 201),
    Try("act on another's upload", anothers_upload, (201, [404, 404, 404, 404], 204)),
    Try(
        "have the app govern its neighbours",
        tossed,
        ([f"own=1; Path={LOCATION}/", f"wide=1; Path={LOCATION}/"], set(), "café", "cé"),
    ),
    Try("have a service worker answer for every app", service_worker, (403, 200, None)),
    Try("find out where private apps are", kept_away, (True, 404)),
]


async def test_what_a_hostile_visitor_tries_comes_to_nothing(
    stack: StackProcess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    url = stack.publish(app(tmp_path_factory.mktemp("target"), APP), LOCATION)
    stack.publish(app(tmp_path_factory.mktemp("private")), "/hostile/private", visibility="private")
    stack.wake(f"{LOCATION}/")
    came: dict[str, object] = {}
    async with Visitor(url) as honest, Visitor(url) as hostile:
        stand = Stand(stack, url, honest, hostile)
        await stand.prepare()
        for number, (what, attempt, must) in enumerate(TRIES):
            if (got := await attempt(stand)) != must:
                came[what] = got
            assert await honest.say(f"still here {number}") == f"heard: still here {number}", what
    assert came == {}
