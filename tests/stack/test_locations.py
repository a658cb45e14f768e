"""Locations in the local stack: two URLs of one app, a redirect, a move while a session is open, a
host with a site of its own, and an app of an older release.
"""

import asyncio
import re
from urllib.parse import urljoin

import pytest

from tests.support.apps import app
from tests.support.stack import StackProcess
from tests.support.visitor import Visitor
from tests.support.waiting import until

pytestmark = pytest.mark.stack
PAGE = {"accept": "text/html"}
HOST = "apps.example.org"


@pytest.fixture(scope="module")
def echo(stack: StackProcess, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of an app that has been moved nowhere yet, awake."""
    folder = app(tmp_path_factory.mktemp("apps") / "placed")
    url = stack.publish(folder, "/placed", app_idle_timeout=60)
    until(lambda: "sheen-config" in stack.get("/placed/", PAGE).text, within=120, what="the app")
    return url


def in_place(stack: StackProcess, path: str, status: int, host: str = "") -> None:
    """Wait until a path answers with a status; the tables are remembered for two seconds."""
    headers = PAGE | ({"host": host} if host else {})
    until(lambda: stack.get(path, headers).status == status, within=30, what=f"{status} at {path}")


def refused(stack: StackProcess, *arguments: str) -> str:
    result = stack.sheen(*arguments, check=False)
    assert result.returncode in (2, 3, 5)
    return result.stderr


async def works(url: str) -> None:
    async with Visitor(url) as visitor:
        assert await visitor.say("hello") == "heard: hello"
        async with visitor.http.get(url, headers=PAGE) as answer:
            text, at = await answer.text(), str(answer.url)
        files = re.findall(r'(?:src|href)="([^"/:]+/shiny[^"]*\.(?:js|css))"', text)
        assert files
        for file in files:
            async with visitor.http.get(urljoin(at, file)) as answer:
                assert answer.status == 200, file


def test_an_app_works_under_two_urls_and_over_a_redirect(stack: StackProcess, echo: str) -> None:
    told = stack.sheen("alias", "/placed", "/deep/second").stdout
    assert f"{stack.url}/deep/second/ leads to the app at /placed too" in told
    in_place(stack, "/deep/second/", 200)
    for path in ("/placed/", "/deep/second/"):
        asyncio.run(works(stack.url + path))
    assert len([row for row in stack.instances() if row["location"] == "/placed"]) == 1
    stack.sheen("redirect", "/go", "/deep/second/", "--status", "301")
    in_place(stack, "/go", 301)
    assert stack.get("/go").headers["location"] == "/deep/second/"
    asyncio.run(works(f"{stack.url}/go"))
    listed = stack.sheen("locations").stdout
    assert re.search(rf"^{stack.url}/placed/ +app /placed$", listed, re.MULTILINE)
    assert re.search(rf"^{stack.url}/deep/second/ +app /placed$", listed, re.MULTILINE)
    assert re.search(rf"^{stack.url}/go/ +301 /deep/second/$", listed, re.MULTILINE)
    assert "an app is at /placed already" in refused(stack, "redirect", "/placed", "/go")
    assert "redirects to /deep/second/" in refused(stack, "alias", "/placed", "/go")
    assert "is reserved" in refused(stack, "alias", "/placed", "/__sheen__")
    assert "nothing is at /nowhere" in refused(stack, "unlink", "/nowhere")
    stack.sheen("unlink", "/go")
    stack.sheen("unlink", "/deep/second")
    assert "is the last location of its app" in refused(stack, "unlink", "/placed")
    in_place(stack, "/go", 404)
    in_place(stack, "/deep/second/", 404)


def test_a_host_may_have_a_site_of_its_own(stack: StackProcess, echo: str) -> None:
    stack.sheen("alias", "/placed", "/", "--host", HOST)
    in_place(stack, "/", 200, HOST)
    assert "sheen-config" in stack.get("/", PAGE | {"host": HOST}).text
    assert "sheen-config" not in stack.get("/", PAGE).text, "other hosts still show the list"
    forged = stack.get("/", PAGE | {"x-forwarded-host": HOST, "sheen-edge": "guess"})
    assert "sheen-config" not in forged.text
    stack.sheen("unlink", "/", "--host", HOST)
    in_place(stack, "/placed/", 200, HOST)


def test_a_session_goes_on_while_its_app_moves(stack: StackProcess, echo: str) -> None:
    async def visit() -> None:
        async with Visitor(f"{stack.url}/placed/") as visitor:
            before = await visitor.say("before")
            await asyncio.to_thread(stack.sheen, "move", "/placed", "/moved")
            await asyncio.to_thread(in_place, stack, "/moved/", 200)
            await asyncio.to_thread(in_place, stack, "/placed/", 307)
            assert (before, await visitor.say("after")) == ("heard: before", "heard: after")
            token = (await visitor.until("who", bool)).split()[1]
            session = f"{stack.url}/placed/session/{token}"
            async with visitor.http.get(f"{session}/dataobj/none") as answer:
                assert answer.status != 307, "what an open session asks for is not redirected"

    asyncio.run(visit())
    assert stack.get("/placed/x?y=1", PAGE).headers["location"] == "/moved/x?y=1"
    asyncio.run(works(f"{stack.url}/placed/"))
    asyncio.run(works(f"{stack.url}/moved/"))
    assert stack.sheen("versions", "/moved").stdout.count("active") == 1
    stack.sheen("move", "/moved", "/placed")
    in_place(stack, "/placed/", 200)
    stack.sheen("unlink", "/moved")
    in_place(stack, "/moved/", 404)


def test_an_app_of_an_older_release_is_found_and_carried_over(
    stack: StackProcess, echo: str
) -> None:
    dynamodb, prefix = stack.client("dynamodb"), stack.environment()["SHEEN_TABLE_PREFIX"]
    key = {"site": {"S": "*"}, "path": {"S": "/placed"}}
    dynamodb.delete_item(TableName=f"{prefix}locations", Key=key)
    dynamodb.update_item(
        TableName=f"{prefix}apps",
        Key={"location": {"S": "/placed"}},
        UpdateExpression="REMOVE locations, #left",
        ExpressionAttributeNames={"#left": "left"},
    )
    asyncio.run(works(f"{stack.url}/placed/"))
    for _ in range(2):
        stack.sweep()
        row = dynamodb.get_item(TableName=f"{prefix}locations", Key=key)["Item"]
        assert row == key | {"app": {"S": "/placed"}}
    asyncio.run(works(f"{stack.url}/placed/"))
    assert stack.sheen("locations").stdout.count("app /placed") == 1
