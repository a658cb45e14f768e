"""Files by S3, as a browser sends them."""

import asyncio
import base64
import hashlib
import os
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from agent.http.bodies import Handover, Objects
from agent.http.bodies.handover import WorkerAnswer
from chalicelib.configuration.limits import LARGEST_BODY
from tests.support.waiting import eventually
from tests.workers.agent.http.bodies.stand import BUCKET, Agent, Bucket

UPLOADS = "/__sheen__/uploads"
MINE = {"ticket": "t1"}


def wish(size: int, job: str = "job", ticket: str = "t1") -> dict[str, Any]:
    return {
        "ticket": ticket,
        "target": f"session/00c0ffee/upload/{job}?w=v1.0.1",
        "size": size,
        "type": "text/csv",
    }


async def put(url: str, data: bytes) -> int:
    async with aiohttp.ClientSession() as browser, browser.put(url, data=data) as answer:
        return answer.status


async def send(agent: Agent, data: bytes, job: str = "job") -> str:
    """Begin an upload and send its parts; return its id."""
    begun = await agent.said("POST", UPLOADS, 201, json=wish(len(data), job))
    numbers = list(range(1, begun["parts"] + 1))
    links = (
        await agent.said(
            "POST", f"{UPLOADS}/{begun['id']}/links", 200, json={**MINE, "parts": numbers}
        )
    )["links"]
    for number in numbers:
        assert (
            await put(
                links[str(number)],
                data[(number - 1) * begun["partSize"] : number * begun["partSize"]],
            )
            == 200
        )
    return str(begun["id"])


async def done(agent: Agent, upload: str) -> dict[str, Any]:
    """Wait until the file of an upload is no longer on its way; return what the browser is told."""
    while True:
        said = await agent.said("POST", f"{UPLOADS}/{upload}/wait", 200, json=MINE)
        if said["state"] not in ("open", "handing"):
            return dict(said)


async def test_r_gets_the_file_as_if_it_had_been_posted(agent: Agent, bucket: Bucket) -> None:
    data = os.urandom(9_000_001)
    upload = await send(agent, data)
    await agent.said(
        "POST",
        f"{UPLOADS}/{upload}/complete",
        200,
        headers={"X-Requested-With": "XMLHttpRequest"},
        json=MINE,
    )
    said = await done(agent, upload)
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert (said["status"], said["given"]) == (200, len(data))
    assert said["body"] == f"got {len(data)} {digest} {len(data)} text/csv XMLHttpRequest ?w=v1.0.1"
    await eventually(bucket.empty)
    assert (
        await agent.said("POST", f"{UPLOADS}/{upload}/wait", 200, json=MINE) == said
    )  # for a browser that did not get it


async def test_r_refuses_by_the_length_before_it_gets_a_byte(agent: Agent, bucket: Bucket) -> None:
    upload = await send(agent, bytes(71_000_000))
    await agent.said("POST", f"{UPLOADS}/{upload}/complete", 200, json=MINE)
    said = await done(agent, upload)
    assert (said["state"], said["status"], said["body"], said["given"]) == (
        "done",
        413,
        "Maximum upload size exceeded",
        0,
    )
    await eventually(bucket.empty)


async def test_a_busy_r_is_not_given_more_than_it_has_written(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Zeros(Objects):
        def __init__(self) -> None:
            pass

        async def read(self, key: str, first: int, last: int) -> bytes:
            return bytes(last - first + 1)

    size, window = 60_000_000, 8 * 1024 * 1024
    monkeypatch.setattr("agent.http.bodies.handover.WINDOW", window)
    given: list[int] = []
    busy: list[asyncio.Task[Any]] = []

    async def keep_busy() -> int:
        assert (await agent.follow("GET", "/slow")).status == 200
        return given[-1]

    def progress(count: int) -> None:
        given.append(count)
        if not busy:
            busy.append(asyncio.create_task(keep_busy()))

    handover = Handover(agent.workers, agent.asking.client, Zeros())
    visitor = CIMultiDictProxy(CIMultiDict({"Host": "x.org"}))
    reply = await handover.give(
        "s1",
        "k",
        size,
        "/session/00c0ffee/upload/job?w=v1.0.1",
        "text/csv",
        visitor,
        "/app",
        progress,
    )
    assert reply.body.startswith(b"got %d " % size)
    assert await busy[0] <= 3 * window


async def test_completing_twice_gives_it_once(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    give = Handover.give

    async def noted(*args: Any) -> WorkerAnswer:
        given.append(args)
        return await give(*args)

    monkeypatch.setattr(Handover, "give", noted)
    upload = await send(agent, b"x" * 100)
    url = f"{UPLOADS}/{upload}/complete"
    await asyncio.gather(*(agent.said("POST", url, 200, json=MINE) for _ in range(2)))
    assert (await done(agent, upload))["body"].startswith("got 100 ")
    assert (await agent.said("POST", url, 200, json=MINE))["body"].startswith("got 100 ")
    assert len(given) == 1


async def test_r_that_dies_under_a_file_is_told(agent: Agent, bucket: Bucket) -> None:
    upload = await send(agent, b"x" * 100, "dies")
    await agent.said("POST", f"{UPLOADS}/{upload}/complete", 200, json=MINE)
    said = await done(agent, upload)
    assert (said["state"], said["message"][:30]) == ("failed", "the app did not take the file:")
    await eventually(bucket.empty)


async def test_a_file_of_which_a_part_is_missing_or_cut_is_not_given(
    agent: Agent, bucket: Bucket
) -> None:
    begun = await agent.said("POST", UPLOADS, 201, json=wish(9_000_000))
    await agent.said("POST", f"{UPLOADS}/{begun['id']}/complete", 200, json=MINE)
    said = await done(agent, begun["id"])
    assert (said["state"], said["message"]) == (
        "failed",
        "part 1 of 2 has not arrived; send it again",
    )
    begun = await agent.said("POST", UPLOADS, 201, json=wish(100))
    upload_id = bucket.s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"][-1]
    bucket.s3.upload_part(
        Bucket=BUCKET,
        Key=upload_id["Key"],
        UploadId=upload_id["UploadId"],
        PartNumber=1,
        Body=b"short",
    )
    await agent.said("POST", f"{UPLOADS}/{begun['id']}/complete", 200, json=MINE)
    said = await done(agent, begun["id"])
    assert said["message"] == "part 1 has 5 bytes instead of 100; send it again"
    await eventually(bucket.empty)


async def test_giving_up_and_a_sessions_end_leave_nothing(agent: Agent, bucket: Bucket) -> None:
    upload = await send(agent, bytes(9_000_000))
    other = await agent.said("POST", UPLOADS, 201, json=wish(5, ticket="t2"))
    async with agent.ask("POST", f"{UPLOADS}/{upload}/abort", json=MINE) as answer:
        assert answer.status == 204
    await eventually(lambda: len(bucket.uploads()) == 1)
    await agent.uploads.end("s1")
    assert (await agent.said("POST", f"{UPLOADS}/{other['id']}/wait", 200, json={"ticket": "t2"}))[
        "state"
    ] == "open"
    await agent.uploads.end("s2")
    await eventually(bucket.empty)
    assert (
        "no such upload"
        in (await agent.said("POST", f"{UPLOADS}/{other['id']}/wait", 404, json={"ticket": "t2"}))[
            "message"
        ]
    )


@pytest.mark.parametrize("ticket", ["forged", "", "old"])
async def test_without_a_live_sessions_ticket_nothing_begins(
    agent: Agent, bucket: Bucket, ticket: str
) -> None:
    assert (
        "load the page again"
        in (await agent.said("POST", UPLOADS, 404, json=wish(5, ticket=ticket)))["message"]
    )
    assert bucket.empty()


async def test_a_session_uploads_so_many_files_at_once_and_others_are_free(agent: Agent) -> None:
    for _ in range(8):
        await agent.said("POST", UPLOADS, 201, json=wish(5))
    assert "8 files already" in (await agent.said("POST", UPLOADS, 400, json=wish(5)))["message"]
    await agent.said("POST", UPLOADS, 201, json=wish(5, ticket="t2"))


async def test_bad_requests_are_refused_with_their_reason(agent: Agent) -> None:
    begun = await agent.said("POST", UPLOADS, 201, json=wish(5))
    assert (
        "only a URL session/"
        in (await agent.said("POST", UPLOADS, 400, json={**wish(5), "target": "/etc"}))["message"]
    )
    assert (
        "parts 1 to 1"
        in (
            await agent.said(
                "POST", f"{UPLOADS}/{begun['id']}/links", 400, json={**MINE, "parts": [2]}
            )
        )["message"]
    )
    assert (
        "no such upload"
        in (await agent.said("POST", f"{UPLOADS}/x/links", 404, json={**MINE, "parts": [1]}))[
            "message"
        ]
    )
    assert "16,384" in (await agent.said("POST", UPLOADS, 400, data=b" " * 20_000))["message"]
    assert "PUT is not for" in (await agent.said("PUT", UPLOADS, 405))["message"]
    assert (
        "GET is not for"
        in (await agent.said("GET", f"{UPLOADS}/{begun['id']}/wait", 405))["message"]
    )
    assert (
        "no ticket"
        in (await agent.said("POST", f"{UPLOADS}/{begun['id']}/wait", 400, json={}))["message"]
    )


@pytest.mark.parametrize("action", ["links", "complete", "wait", "abort"])
@pytest.mark.parametrize("ticket", ["t2", "old", "forged"])
async def test_an_uploads_id_is_no_pass_to_it(agent: Agent, action: str, ticket: str) -> None:
    begun = await agent.said("POST", UPLOADS, 201, json=wish(5))
    said = await agent.said(
        "POST", f"{UPLOADS}/{begun['id']}/{action}", 404, json={"ticket": ticket, "parts": [1]}
    )
    assert "no such upload" in said["message"]
    assert (await agent.said("POST", f"{UPLOADS}/{begun['id']}/wait", 200, json=MINE))[
        "state"
    ] == "open"


async def test_room_is_given_only_for_what_the_app_accepted(agent: Agent, bucket: Bucket) -> None:
    asked: list[tuple[str, str, int]] = []
    agent.accepted = lambda *wanted: bool(asked.append(wanted))
    assert (
        "has not agreed to take it"
        in (await agent.said("POST", UPLOADS, 400, json=wish(5)))["message"]
    )
    assert asked == [("s1", "/session/00c0ffee/upload/job?w=v1.0.1", 5)]
    agent.largest = 4
    said = await agent.said("POST", UPLOADS, 400, json=wish(5))
    assert (
        said["message"]
        == "a file of 5 bytes: this app takes at most 4, by its setting largest_upload"
    )
    assert bucket.empty()


async def own(agent: Agent, data: bytes, path: str, **more: Any) -> dict[str, Any]:
    """Send a body as a script of the page does."""
    wanted = {
        "ticket": "t1",
        "target": path,
        "size": len(data),
        "type": "application/x-own",
        "method": "PUT",
        **more,
    }
    begun = await agent.said("POST", UPLOADS, 201, json=wanted)
    links = (
        await agent.said("POST", f"{UPLOADS}/{begun['id']}/links", 200, json={**MINE, "parts": [1]})
    )["links"]
    assert await put(links["1"], data) == 200
    await agent.said(
        "POST",
        f"{UPLOADS}/{begun['id']}/complete",
        200,
        json=MINE,
        headers={"X-Forwarded-For": "192.0.2.1"},
    )
    return await done(agent, begun["id"])


async def test_a_scripts_own_body_reaches_r_as_it_was_sent(agent: Agent, bucket: Bucket) -> None:
    headers = [
        ["X-App-Own", "1"],
        ["Accept", "text/csv"],
        ["X-Forwarded-For", "6.6.6.6"],
        ["Cookie", "a=1"],
        ["sheen-session", "s2"],
    ]
    said = await own(agent, bytes(6_000_000), "/own?s=201", headers=headers)
    assert (said["state"], said["status"]) == ("done", 201)
    assert said["body"] == "PUT 6000000 application/x-own 1 text/csv 192.0.2.1"
    await eventually(bucket.empty)


async def test_an_answer_that_is_no_text_comes_as_it_is(agent: Agent) -> None:
    said = await own(agent, b"xyz", "/own?s=200")
    assert (said["encoding"], base64.b64decode(said["body"])) == ("base64", b"\xff\x00x")


async def test_a_body_too_large_is_told_with_the_limit(agent: Agent, bucket: Bucket) -> None:
    wanted = {
        "ticket": "t1",
        "target": "/own",
        "size": LARGEST_BODY + 1,
        "type": "text/plain",
        "method": "POST",
    }
    said = await agent.said("POST", UPLOADS, 413, json=wanted)
    assert said["message"] == (
        f"the body has {LARGEST_BODY + 1:,} bytes; {LARGEST_BODY:,} are allowed. A larger "
        "file goes by fileInput()"
    )
    assert bucket.empty()
