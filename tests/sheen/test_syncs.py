"""What `sheen syncs` says of apps that ask for a sync and do not get it."""

from typing import Any

from chalicelib.apps.model import App
from chalicelib.syncs.model import Sync
from sheen.syncs import refused


def app(location: str, **settings: Any) -> App:
    return App(
        location,
        app_id="0123456789ab",
        unix_id=271_828,
        settings=settings,
        created_at=0,
        updated_at=0,
    )


APPS = [
    app("/reader", data={"sales": "read"}),
    app("/team/other", data={"sales": "write"}),
    app("/let-in", data={"sales": "read"}),
    app("/nothing"),
    app("/broken", data={"sales": "both"}),
]


def test_apps_that_are_shut_out_are_named_with_what_lets_them_in() -> None:
    before = Sync(
        "sales", settings={"apps": ["/let-in"]}, read_gid=1, write_gid=2, created_at=0, updated_at=0
    )
    assert refused(before, "sheen-test", APPS) == [
        (
            "sales is not given to /reader, /team/other: `sheen sync define sales "
            "apps='/let-in /reader /team/other'` lets them in"
        )
    ]


def test_nothing_is_said_of_who_gets_it_and_of_a_definition_that_cannot_be_read() -> None:
    everyone = Sync(
        "sales", settings={"apps": ["*"]}, read_gid=1, write_gid=2, created_at=0, updated_at=0
    )
    assert refused(everyone, "sheen-test", APPS) == []
    broken = Sync(
        "sales", settings={"apps": "sales"}, read_gid=1, write_gid=2, created_at=0, updated_at=0
    )
    assert refused(broken, "sheen-test", APPS) == []
