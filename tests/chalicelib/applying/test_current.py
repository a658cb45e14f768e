"""The configuration that holds is read with the locations, fetched once, and never an old one."""

from collections import Counter

import pytest

from chalicelib.applying import contents
from chalicelib.applying.current import REMEMBERED, Current
from chalicelib.applying.model import POINTER, ConfigurationRow
from chalicelib.apps.directory import Directory, NothingAtPath
from chalicelib.aws import clients
from chalicelib.configuration.applied import Applied, Content
from chalicelib.configuration.errors import BadConfiguration, ConfigurationLost
from chalicelib.configuration.keys import applied_key
from chalicelib.configuration.shiny_server_conf.match import Arrival
from chalicelib.configuration.shiny_server_conf.model import Redirect
from tests.chalicelib.aws_in_process import BUCKET

pytestmark = pytest.mark.usefixtures("dynamodb_calls")

NOW = 1000.0
CONTENT = Content(
    "/etc/shiny-server/shiny-server.conf",
    'server { listen 80; location /old { redirect "https://example.org/é"; } }',
    {"/etc/pages": {"error-404": "<p>{{title}}</p>"}},
    {"": "ok", "json": "{}"},
)


def store(configuration_id: str, content: Content = CONTENT) -> None:
    contents.put(BUCKET, configuration_id, content, None)


def point_at(configuration_id: str | None) -> None:
    ConfigurationRow(*POINTER, configuration=configuration_id, number=1).save()


def current_id(current: Current, now: float) -> str | None:
    applied = current.get(now)
    return applied.id if applied is not None else None


def test_what_is_stored_is_what_is_read() -> None:
    store("a")
    point_at("a")
    applied = Current(BUCKET).get(NOW)
    assert applied is not None
    assert applied.content == CONTENT
    assert applied.templates["/etc/pages"]["error-404"] == "<p>{{title}}</p>"
    [(_, [location])] = applied.matcher.candidates(Arrival("/old/x"))
    assert location.target == Redirect("https://example.org/é", 302, True, "/old")


def test_without_a_configuration_nothing_but_the_pointer_is_read(
    dynamodb_calls: Counter[str],
) -> None:
    current = Current(BUCKET, _unread)
    assert current.get(NOW) is None
    assert current.get(NOW + 1) is None
    assert dynamodb_calls == {"GetItem": 1}


def test_the_pointer_is_read_in_the_call_that_reads_the_locations(
    dynamodb_calls: Counter[str],
) -> None:
    store("a")
    point_at("a")
    dynamodb_calls.clear()
    current = Current(BUCKET)
    assert isinstance(Directory(beside=current).find("/hello/", NOW), NothingAtPath)
    assert current_id(current, NOW) == "a"
    assert dynamodb_calls == {"BatchGetItem": 1}


def test_a_pointer_that_is_not_there_is_known_from_the_locations_call(
    dynamodb_calls: Counter[str],
) -> None:
    current = Current(BUCKET, _unread)
    Directory(beside=current).find("/hello/", NOW)
    assert current.get(NOW + 1) is None
    assert dynamodb_calls == {"BatchGetItem": 1}


def test_another_configuration_is_seen_after_two_seconds_and_each_is_fetched_once() -> None:
    fetched: Counter[str] = Counter()

    def fetch(bucket: str, configuration_id: str) -> Applied:
        fetched[configuration_id] += 1
        return contents.fetch(bucket, configuration_id)

    for name in ("a", "b"):
        store(name)
    point_at("a")
    current = Current(BUCKET, fetch)
    assert current_id(current, NOW) == "a"
    point_at("b")
    assert current_id(current, NOW + REMEMBERED - 0.1) == "a"
    assert current_id(current, NOW + REMEMBERED) == "b"
    point_at("a")
    assert current_id(current, NOW + 3 * REMEMBERED) == "a"
    point_at(None)
    assert current_id(current, NOW + 5 * REMEMBERED) is None
    assert fetched == {"a": 1, "b": 1}


def test_memory_holds_a_few_configurations_only() -> None:
    names = [f"c{number}" for number in range(9)]
    for name in names:
        store(name)
    current = Current(BUCKET)
    for number, name in enumerate(names):
        point_at(name)
        assert current_id(current, NOW + number * REMEMBERED) == name
    assert len(current._kept) == 3


@pytest.mark.parametrize(
    "damage", [b"", b"[]", b'{"file": 1}', b'{"file": "f", "text": "{"}', None]
)
def test_a_configuration_that_cannot_be_read_closes_the_site(damage: bytes | None) -> None:
    for name in ("good", "bad"):
        store(name)
    point_at("good")
    current = Current(BUCKET)
    assert current_id(current, NOW) == "good"
    if damage is None:
        clients.client("s3").delete_object(Bucket=BUCKET, Key=applied_key("bad"))
    else:
        clients.client("s3").put_object(Bucket=BUCKET, Key=applied_key("bad"), Body=damage)
    point_at("bad")
    with pytest.raises(ConfigurationLost, match="sheen config apply"):
        current.get(NOW + REMEMBERED)


def test_a_file_with_errors_is_not_served_by() -> None:
    store("bad", Content("x.conf", "server {"))
    point_at("bad")
    with pytest.raises(ConfigurationLost, match=r"x\.conf:1:1"):
        Current(BUCKET).get(NOW)


def test_templates_that_are_too_large_are_refused() -> None:
    content = Content("x.conf", "", {"/pages": {"error": "x" * (5 << 20)}})
    with pytest.raises(BadConfiguration, match="at most 4,194,304"):
        store("large", content)


def _unread(bucket: str, configuration_id: str) -> Applied:
    raise AssertionError(f"{configuration_id} is fetched from {bucket}")
