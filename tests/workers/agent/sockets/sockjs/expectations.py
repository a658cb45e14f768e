"""What the protocol says of many answers alike."""

from __future__ import annotations

import re

from tests.workers.agent.sockets.sockjs.wire import Answer, Server

SCRIPT = "application/javascript;charset=UTF-8"
PLAIN = "text/plain;charset=UTF-8"
HTML = "text/html;charset=UTF-8"


def content_type(answer: Answer, expected: str) -> None:
    assert answer["Content-Type"].replace(" ", "") == expected


def cors(answer: Answer, origin: str | None = None) -> None:
    assert answer["Access-Control-Allow-Origin"] == (origin or "*")
    assert answer["Access-Control-Allow-Credentials"] == ("true" if origin else "")


def not_cached(answer: Answer) -> None:
    assert answer["Cache-Control"] == "no-store, no-cache, no-transform, must-revalidate, max-age=0"
    assert not answer["Expires"] and not answer["Last-Modified"]


def cached(answer: Answer) -> None:
    assert "public" in answer["Cache-Control"] and re.search(
        "max-age=[1-9][0-9]{6}", answer["Cache-Control"]
    )
    assert answer["Expires"] and not answer["Last-Modified"]


def no_cookie(answer: Answer) -> None:
    assert not answer["Set-Cookie"]


def cookie(answer: Answer, value: str = "dummy") -> None:
    assert [part.strip().lower() for part in answer["Set-Cookie"].split(";")[:2]] == [
        f"jsessionid={value}",
        "path=/",
    ]


def not_allowed(answer: Answer, body: str) -> None:
    assert answer.status == 405 and answer["Allow"]
    assert not answer["Content-Type"] and not body


async def options(server: Server, path: str, methods: str) -> None:
    for origin in (None, "test", "null"):
        answer = await server.ask("OPTIONS", path, {"Origin": origin} if origin else {})
        assert answer.status == 204
        cached(answer)
        assert int(answer["Access-Control-Max-Age"]) > 1_000_000
        assert answer["Access-Control-Allow-Methods"] == methods
        assert not await answer.body()
        cors(answer, origin)
