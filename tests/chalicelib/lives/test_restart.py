"""Restarting an app: the agents that are to be told are told, and no others."""

import pytest

from chalicelib.agents.client import AgentClient
from chalicelib.apps import life
from chalicelib.apps import store as apps
from chalicelib.apps.errors import NoSuchApp
from chalicelib.apps.model import App
from chalicelib.instances import store
from chalicelib.instances.model import Instance
from chalicelib.lives.restart import RestartEvent, restart
from tests.chalicelib.standin_agent import Say, StandinAgent

OLD, NEW = "20261120T133144Z-3f9a", "20261120T140000Z-0000"
pytestmark = pytest.mark.usefixtures("dynamodb_calls")


@pytest.fixture
def app() -> App:
    app = apps.ensure("/hello", 1.0)
    app.active_version = NEW
    app.save()
    return app


def instance(app: App, version: str, slot: int, address: str | None) -> Instance:
    claimed = store.claim(f"{app.app_id}.{version}", slot, app=app.location, capacity=9, now=1.0)
    assert claimed is not None
    return store.mark_ready(claimed.ref, address, "token", 1.0) if address else claimed


def run(mode: str, location: str = "/hello") -> dict[str, int]:
    event: RestartEvent = {
        "location": location,
        "mode": "restart" if mode == "restart" else "retire",
    }
    return {**restart(event, AgentClient(), lambda: 50.0)}  # type: ignore[dict-item]


@pytest.mark.parametrize(("mode", "told"), [("restart", [1, 2]), ("retire", [0])])
def test_the_active_versions_instances_restart_and_the_others_retire(
    app: App, agent: StandinAgent, mode: str, told: list[int]
) -> None:
    agent.answer = lambda got: Say(204, body=b"")
    ids = [
        instance(app, OLD, 0, agent.address).instance_id,
        instance(app, NEW, 0, agent.address).instance_id,
        instance(app, NEW, 1, agent.address).instance_id,
    ]
    instance(app, NEW, 2, None)
    other = apps.ensure("/other", 1.0)
    instance(other, NEW, 0, agent.address)
    assert run(mode) == {"told": len(told), "not_told": 0}
    assert sorted(str(got.header("sheen-instance")) for got in agent.got) == sorted(
        ids[n] for n in told
    )
    assert {(got.method, got.path) for got in agent.got} == {("POST", f"/{mode}")}
    app.refresh()
    assert app.restarted_at == (50.0 if mode == "restart" else None)


def test_of_too_many_versions_of_before_the_oldest_end_their_sessions(
    app: App, agent: StandinAgent
) -> None:
    agent.answer = lambda got: Say(204, body=b"")
    app.update(actions=[App.settings.set({"max_retired_versions": 2})])
    before = [f"2026112{day}T120000Z-0000" for day in range(4)]
    ids = {
        instance(app, version, 0, agent.address).instance_id: version
        for version in (NEW, *reversed(before))
    }
    assert run("retire") == {"told": 4, "not_told": 0}
    told = {ids[str(got.header("sheen-instance"))]: got.path for got in agent.got}
    assert told == dict(
        zip(before, ["/supersede", "/supersede", "/retire", "/retire"], strict=True)
    )


def test_agents_that_do_not_answer_keep_nobody_else_from_being_told(
    app: App, agent: StandinAgent
) -> None:
    instance(app, NEW, 0, "127.0.0.1:1")
    instance(app, NEW, 1, agent.address)
    assert run("restart") == {"told": 1, "not_told": 1}
    agent.answer = lambda got: Say(500)
    assert run("restart") == {"told": 0, "not_told": 2}


def test_an_app_that_is_not_there() -> None:
    with pytest.raises(NoSuchApp, match="/nowhere"):
        run("restart", "/nowhere")


def test_a_later_restart_stays(app: App) -> None:
    life.mark_restarted("/hello", 70.0)
    run("restart")
    app.refresh()
    assert app.restarted_at == 70.0
