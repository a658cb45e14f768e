"""What an instance finds out about its app after its start, though nobody told it."""

import contextlib
from pathlib import Path

import pytest

from agent import record
from chalicelib.apps import life, versions
from chalicelib.apps.model import App, Version
from chalicelib.instances.model import Instance
from chalicelib.kinds import shiny_python, shiny_r

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
def found(app: App, tmp_path: Path) -> record.InstanceRecord:
    """What an instance of the old version reads while it starts."""
    return loaded(tmp_path, "shiny-r", "")


def loaded(tmp_path: Path, kind: str, entrypoint: str | None) -> record.InstanceRecord:
    """Return what an instance reads of a version that has an app.R and this row."""
    with contextlib.suppress(Version.DoesNotExist):
        Version.get(APP_ID, OLD).delete()
    versions.add(
        APP_ID,
        OLD,
        bundle="b",
        kind=kind,
        entrypoint=entrypoint,
        source="s",
        settings={},
        now=0.0,
    )
    (tmp_path / "apps" / APP_ID / OLD).mkdir(parents=True, exist_ok=True)
    (tmp_path / "apps" / APP_ID / OLD / "app.R").write_text("")
    row = Instance(
        f"{APP_ID}.{OLD}",
        0,
        instance_id="f" * 16,
        app="/record",
        state="STARTING",
        phase="R",
        secret="0" * 64,
    )
    row.seats, row.capacity, row.claimed_at, row.size = {}, 5, 0, "large"
    row.save()
    return record.load(row.ref, tmp_path)


def test_nothing_is_missed_when_nothing_happened(found: record.InstanceRecord) -> None:
    assert record.missed(found) is None


def test_a_restart_is_missed_until_the_settings_of_after_it_are_read(
    app: App, found: record.InstanceRecord
) -> None:
    app.update(actions=[App.settings.set({"app_idle_timeout": 77})])
    life.mark_restarted("/record", 50.0)
    assert record.missed(found) == "restart"
    found = record.renewed(found)
    assert (found.settings.app_idle_timeout, record.missed(found)) == (77, None)
    life.mark_restarted("/record", 51.0)
    assert record.missed(found) == "restart"


def test_another_active_version_retires_it_restarted_or_not(
    app: App, found: record.InstanceRecord
) -> None:
    app.update(actions=[App.active_version.set(NEW), App.restarted_at.set(50.0)])
    assert record.missed(found) == "retire"


@pytest.mark.parametrize("instead", [None, "another's"])
def test_an_app_that_is_gone_retires_it(
    app: App, found: record.InstanceRecord, instead: str | None
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


def test_the_kind_in_the_row_wins_over_the_files(app: App, tmp_path: Path) -> None:
    found = loaded(tmp_path, "shiny-python", "main:here")
    assert (found.kind, found.entrypoint) == (shiny_python.KIND, "main:here")
    assert (found.directory / "app.R").is_file()


def test_a_row_of_before_is_told_by_its_name_and_its_manifest(app: App, tmp_path: Path) -> None:
    found = loaded(tmp_path, "server.R", None)
    assert (found.kind, found.entrypoint) == (shiny_r.KIND, "")
    said = '{"metadata": {"appmode": "python-shiny", "entrypoint": "main:here"}}'
    (found.directory / "manifest.json").write_text(said)
    found = loaded(tmp_path, "app.py", None)
    assert (found.kind, found.entrypoint) == (shiny_python.KIND, "main:here")


def test_what_no_instance_serves_is_told_with_the_way_out(app: App, tmp_path: Path) -> None:
    with pytest.raises(record.NothingToServe, match=r'of the kind "of tomorrow".*publish'):
        loaded(tmp_path, "of tomorrow", "")
