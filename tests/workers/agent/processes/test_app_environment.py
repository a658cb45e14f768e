"""Which synced folders an app's R may enter: the agent holds its settings against the syncs once
more.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.processes.app_environment import groups_of_app
from agent.record import InstanceRecord
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances.model import InstanceRef
from chalicelib.kinds import shiny_r
from chalicelib.syncs.model import Sync
from tests.chalicelib.aws_in_process import aws_in_process

READ, WRITE = 300_001, 300_002


@pytest.fixture(scope="module", autouse=True)
def _services() -> Iterator[None]:
    with aws_in_process():
        yield


def record(mode: str) -> InstanceRecord:
    ref = InstanceRef.parse(f"0123456789ab.20261120T133144Z-3f9a/0/{'f' * 16}")
    settings = AppSettings(data={"site": mode})
    return InstanceRecord(ref, "/reader", 271_828, settings, "0" * 64, Path(), shiny_r.KIND)


def define(**settings: object) -> None:
    Sync(
        "site", settings=settings, read_gid=READ, write_gid=WRITE, created_at=0, updated_at=0
    ).save()


@pytest.mark.parametrize(
    ("settings", "mode", "groups"),
    [
        ({}, "read", ()),
        ({"apps": ["/other"]}, "read", ()),
        ({"apps": ["/reader"]}, "read", (READ,)),
        ({"apps": ["/reader"]}, "write", (READ, WRITE)),
        ({"apps": ["/reader"], "publish": "/"}, "write", (READ,)),
    ],
)
async def test_only_who_is_let_in_gets_groups_and_nobody_writes_where_apps_are_published(
    settings: dict[str, object], mode: str, groups: tuple[int, ...]
) -> None:
    define(**settings)
    assert await groups_of_app(record(mode), "sheen-test") == groups
