"""What an instance finds out about its app after its start, though nobody told it."""

from pathlib import Path

import pytest

from agent import record
from chalicelib.apps import life
from chalicelib.apps.model import App
from chalicelib.instances.model import Instance

APP_ID, OLD, NEW = "0123456789ab", "20261120T133144Z-3f9a", "20261120T140000Z-0000"


@pytest.fixture
def app(tables: None) -> App:
    app = App(
        "/record",
        app_id=APP_ID,
        unix_id=271_828,
        active_version=OLD,
        settings={},
        created_at=0,
        updated_at=0,
    )
    app.save()
    return app


@pytest.fixture
def found(app: App, tmp_path: Path) -> record.Record:
    """What an instance of the old version reads while it starts."""
    (tmp_path / "apps" / APP_ID / OLD).mkdir(parents=True)
    (tmp_path / "apps" / APP_ID / OLD / "app.R").write_text("")
    row = Instance(
        f"{APP_ID}.{OLD}",
        0,
        instance_id="f" * 16,
        location="/record",
        state="STARTING",
        phase="R",
        secret="0" * 64,
    )
    row.seats, row.capacity, row.claimed_at, row.size = {}, 5, 0, "large"
    row.save()
    return record.load(row.ref, tmp_path)


def test_nothing_is_missed_when_nothing_happened(found: record.Record) -> None:
    assert record.missed(found) is None


def test_a_restart_is_missed_until_the_settings_of_after_it_are_read(
    app: App, found: record.Record
) -> None:
    app.update(actions=[App.settings.set({"app_idle_timeout": 77})])
    life.mark_restarted("/record", 50.0)
    assert record.missed(found) == "restart"
    found = record.renewed(found)
    assert (found.settings.app_idle_timeout, record.missed(found)) == (77, None)
    life.mark_restarted("/record", 51.0)
    assert record.missed(found) == "restart"


def test_another_active_version_retires_it_restarted_or_not(app: App, found: record.Record) -> None:
    app.update(actions=[App.active_version.set(NEW), App.restarted_at.set(50.0)])
    assert record.missed(found) == "retire"


@pytest.mark.parametrize("instead", [None, "another's"])
def test_an_app_that_is_gone_retires_it(
    app: App, found: record.Record, instead: str | None
) -> None:
    app.delete()
    if instead is not None:
        App(
            "/record",
            app_id="ba9876543210",
            unix_id=1,
            active_version=OLD,
            settings={},
            created_at=0,
            updated_at=0,
        ).save()
    assert record.missed(found) == "retire"
