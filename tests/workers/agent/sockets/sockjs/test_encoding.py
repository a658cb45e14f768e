"""Characters that browsers or proxies change on the way."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from tests.workers.agent.sockets.sockjs.wire import Server

# The escapes that the protocol demands of a server, and those that its client makes, as ranges of
# code points.
SERVER = re.compile("[\x00-\x1f\u200c-\u200f\u2028-\u202f\u2060-\u206f\ufff0-\uffff]")
CLIENT = re.compile(
    '[\\"\x00-\x1f\x7f-\x9f\u00ad\u0300-\u0333\u033d-\u0346\u034a-\u034c\u0350-\u0352\u0357-\u0358\u035c-\u0362\u0374\u037e\u0387'
    "\u0591-\u05af\u05c4\u0600-\u0604\u0610-\u0617\u0653-\u0654\u0657-\u065b\u065d-\u065e\u06df-\u06e2\u06eb-\u06ec\u070f\u0730"
    "\u0732-\u0733\u0735-\u0736\u073a\u073d\u073f-\u0741\u0743\u0745\u0747\u07eb-\u07f1\u0951\u0958-\u095f\u09dc-\u09dd\u09df"
    "\u0a33\u0a36\u0a59-\u0a5b\u0a5e\u0b5c-\u0b5d\u0e38-\u0e39\u0f43-\u0fb9\u17b4-\u17b5\u1939-\u193a\u1a17\u1b6b\u1cda-\u1cdb"
    "\u1dc0-\u1dcf\u1dfc\u1dfe\u1f71-\u1fff\u2000-\u20ff\u2126\u212a-\u212b\u2329-\u232a\u2adc\u302b-\u302c\uaab2-\uaab3"
    "\uf900-\ufb4e\ufeff\ufff0-\uffff]"
)
Session = Callable[..., str]


def escaped(pattern: re.Pattern[str], start: int) -> str:
    return (
        '"'
        + "".join(f"\\u{code:04x}" for code in range(start, 65536) if pattern.match(chr(code)))
        + '"'
    )


async def echoed(server: Server, url: str, payload: str) -> str:
    assert (await server.post(url + "/xhr"))[1] == "o\n"
    assert (await server.post(url + "/xhr_send", payload))[0].status == 204
    answer, body = await server.post(url + "/xhr")
    assert answer.status == 200
    return body.strip()[2:-1]


async def test_the_server_escapes_what_would_not_survive(server: Server, session: Session) -> None:
    killer = escaped(SERVER, 255)
    assert await echoed(server, session(), f'["{json.loads(killer)}"]') == killer


async def test_the_server_reads_what_the_client_escapes(server: Server, session: Session) -> None:
    killer = escaped(CLIENT, 0)
    assert json.loads(await echoed(server, session(), f"[{killer}]")) == json.loads(killer)


async def test_every_character_outside_the_surrogates_survives(
    server: Server, session: Session
) -> None:
    everything = "".join(chr(code) for code in (*range(1, 0xD800), *range(0xE000, 0x11000)))
    assert (
        json.loads(await echoed(server, session(), json.dumps([everything], ensure_ascii=False)))
        == everything
    )


async def test_a_pair_of_escaped_surrogates_is_one_character(
    server: Server, session: Session
) -> None:
    assert await echoed(server, session(), r'["\ud83d\ude00"]') == '"\U0001f600"'


async def test_half_a_pair_becomes_the_replacement_character(
    server: Server, session: Session
) -> None:
    assert json.loads(await echoed(server, session(), r'["a\ud83db"]')) == "a\ufffdb"
