"""The whole agent: a process as ECS starts it, with real tables, real R, and the AWS endpoints that
it calls.
"""

import asyncio
import json
import os
import signal
import time

from chalicelib.apps.model import App
from chalicelib.configuration.above import Above
from chalicelib.configuration.declaring import LayerKind
from chalicelib.configuration.layers import Layer, Origin
from chalicelib.instances import store
from chalicelib.instances.model import Instance, InstanceRef
from chalicelib.instances.secret import Purpose, key_for
from chalicelib.sessions import tickets
from tests.support.processes import is_running
from tests.support.waiting import eventually
from tests.workers.agent.running import (
    APP_ID,
    LOCATION,
    PATIENCE,
    VERSION,
    Launch,
)


async def test_a_visit_from_the_start_to_the_end(launch: Launch) -> None:
    agent = await launch(app_idle_timeout=60)
    await agent.ready()
    assert agent.row().phase == "app"
    assert [line["how"] for line in agent.log if line["message"] == "R started"] == ["forked"]
    [ready] = agent.cloud.said("SendTaskSuccess")
    assert json.loads(ready["output"]) == {
        "address": f"{agent.cloud.address}:8080",
        "task_arn": "arn:task",
    }
    assert agent.cloud.said("SendTaskHeartbeat", "ready-token")

    config = await agent.page("session-1")
    ticket = tickets.check(
        config["ticket"], lambda ref: key_for(agent.secret, Purpose.TICKET), time.time()
    )
    assert (ticket.session_id, ticket.ref) == ("session-1", agent.ref)
    assert (config["base"], config["websocketUrl"]) == (LOCATION, "/socket")

    await agent.page("session-2")
    await asyncio.gather(agent.open("session-1", "c1"), agent.open("session-2", "c2"))
    assert sorted(store.seats_of(agent.row())) == ["session-1", "session-2"]

    agent.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(agent.process.wait(), PATIENCE) == 0
    for connection in ("c1", "c2"):
        assert "c[4702," in agent.cloud.frames(connection)
    assert store.seats_of(agent.row()) == {}


async def test_every_line_of_the_log_says_whose_it_is_and_none_tells_a_secret(
    launch: Launch,
) -> None:
    agent = await launch()
    await agent.ready()
    config = await agent.page("session-1")
    await agent.open("session-1", "c1")
    agent.process.terminate()
    await agent.process.wait()
    await agent._reading
    assert not [line for line in agent.log if "raw" in line]
    assert all(line["instance"] == str(agent.ref) for line in agent.log)
    text = json.dumps(agent.log)
    keys = [key_for(agent.secret, purpose) for purpose in Purpose]
    assert not [
        secret
        for secret in (*keys, agent.secret, config["ticket"], "ready-token", "watch-1")
        if secret in text
    ]


async def test_r_killed_under_a_visitor_ends_the_session_gives_the_seat_back_and_starts_again(
    launch: Launch,
) -> None:
    agent = await launch()
    await agent.ready()
    await agent.page("session-1")
    await agent.open("session-1", "c1")
    worker = await agent.worker()
    assert worker is not None
    os.kill(worker["pid"], signal.SIGKILL)
    await eventually(lambda: "c[4503," in agent.cloud.frames("c1"), "the visitor is told")
    await eventually(lambda: not store.seats_of(agent.row()), "the seat is given back")
    await agent.page("session-2")
    await agent.open("session-2", "c2")


async def test_sessions_are_spread_and_one_r_killed_ends_only_its_own(launch: Launch) -> None:
    agent = await launch(utilization_scheduler="2 0.5 2", app_idle_timeout=60)
    await agent.ready()
    for number in (1, 2):
        await agent.page(f"session-{number}")
        await agent.open(f"session-{number}", f"c{number}")
    first, second = await agent.workers()
    assert [worker["sessions"] for worker in (first, second)] == [1, 1]
    await eventually(lambda: agent.row().worker == f"{VERSION}.0.1,2", "the row names both")
    os.kill(second["pid"], signal.SIGKILL)
    await eventually(lambda: "c[4503," in agent.cloud.frames("c2"), "its visitor is told")
    await eventually(
        lambda: set(store.seats_of(agent.row())) == {"session-1"}, "only its seat is given back"
    )
    assert "c[" not in agent.cloud.frames("c1")
    await agent.page("session-3")
    assert [worker["id"] for worker in await agent.workers()] == [
        f"{VERSION}.0.1",
        f"{VERSION}.0.3",
    ]


async def test_a_visitor_who_does_nothing_is_told_so_and_gives_the_seat_back(
    launch: Launch,
) -> None:
    agent = await launch(app_session_timeout=2)
    await agent.ready()
    config = await agent.page("session-1")
    assert config["settings"]["aliveSeconds"] == 300
    await agent.open("session-1", "c1")
    await eventually(lambda: "c[4510," in agent.cloud.frames("c1"), "the visitor is told")
    await eventually(lambda: not store.seats_of(agent.row()), "the seat is given back")


async def test_after_a_restart_an_old_session_keeps_its_process_and_state_and_a_new_one_gets_a_new_process(  # noqa: E501
    launch: Launch,
) -> None:
    agent = await launch("counter", app_idle_timeout=60, max_retired_workers=1)
    await agent.ready()
    await agent.page("session-1")
    await agent.open("session-1", "c1", "count 1")
    row = App.get(LOCATION)
    row.update(
        actions=[
            App.settings.set(
                {"app_session_timeout": 7, "max_retired_workers": 1, "simple_scheduler": 9}
            )
        ]
    )
    assert await agent.ask("POST", "/restart") == (200, '{"retired": 1}')
    assert agent.row().capacity == 9
    await agent.page("session-2")
    await agent.open("session-2", "c2", "count 1")
    await agent.say("session-1", "c1", 2, {"click": 1})
    await eventually(
        lambda: "count 2" in agent.cloud.frames("c1"), "the old session goes on with its state"
    )
    first, second = await agent.workers()
    assert (first["retired"], first["sessions"], second["retired"], second["sessions"]) == (
        True,
        1,
        False,
        1,
    )
    assert first["pid"] != second["pid"]
    assert (await agent.ask("POST", "/restart"))[0] == 200
    await eventually(
        lambda: "c[4506," in agent.cloud.frames("c1"), "the oldest is told when there are too many"
    )
    await eventually(lambda: not is_running(first["pid"]), "and its process is gone")
    await agent.say("session-2", "c2", 2, {"click": 1})
    await eventually(lambda: "count 2" in agent.cloud.frames("c2"), "the newer one lives on")
    await eventually(lambda: "c[4510," in agent.cloud.frames("c2"), "by the settings of now")


async def test_a_page_after_a_change_of_the_configuration_gets_a_process_with_its_settings(
    launch: Launch,
) -> None:
    agent = await launch("counter", app_idle_timeout=60)
    await agent.ready()
    assert (await agent.page("session-1"))["settings"]["reconnect"] is True
    line = Layer(
        Origin(LayerKind.LOCATION, "shiny-server.conf:9"),
        {"reconnect": False, "simple_scheduler": 9, "app_idle_timeout": 5},
    )
    assert store.adopt(agent.ref, Above((line,), 3)) is not None
    assert (await agent.page("session-2"))["settings"]["reconnect"] is True, "not told yet"
    config, again = [await agent.page(f"session-{number}", above=3) for number in (3, 4)]
    assert config["settings"]["reconnect"] is again["settings"]["reconnect"] is False
    assert agent.row().capacity == 9
    first, second = await agent.workers()
    assert (first["sessions"], second["sessions"]) == (2, 2), "old sessions keep their process"
    assert len([one for one in agent.log if "restarted" in one["message"]]) == 1


async def test_a_retired_instance_takes_no_new_session_and_is_idle_as_soon_as_the_last_has_left(
    launch: Launch,
) -> None:
    agent = await launch(reconnect_grace=0, instance_idle_timeout=3600)
    await agent.ready()
    await agent.page("session-1")
    await agent.open("session-1", "c1")
    assert (await agent.ask("POST", "/retire"))[0] == 204
    assert (await agent.ask("GET", "/app/", sheen_session="session-2", sheen_base=LOCATION))[
        0
    ] == 410
    assert not agent.cloud.said("SendTaskSuccess", "watch-1")
    await agent.ask("DELETE", "/connections/c1")
    await eventually(lambda: agent.cloud.said("SendTaskSuccess", "watch-1"), "idle")


async def test_a_superseded_instance_ends_its_sessions_with_a_word_and_is_idle(
    launch: Launch,
) -> None:
    agent = await launch(reconnect_grace=0, instance_idle_timeout=3600)
    await agent.ready()
    await agent.page("session-1")
    await agent.open("session-1", "c1")
    assert (await agent.ask("POST", "/supersede"))[0] == 204
    await eventually(lambda: "c[4506," in agent.cloud.frames("c1"), "the visitor is told")
    assert (await agent.ask("GET", "/app/", sheen_session="session-2", sheen_base=LOCATION))[
        0
    ] == 410
    await eventually(lambda: agent.cloud.said("SendTaskSuccess", "watch-1"), "idle")


def bound_to(spare: Instance, ref: InstanceRef) -> None:
    """Write an app's row of a spare."""
    bound = Instance(
        ref.version_id,
        0,
        instance_id=spare.instance_id,
        app=LOCATION,
        state="READY",
        phase="app",
        secret=spare.secret,
    )
    bound.seats, bound.capacity, bound.claimed_at, bound.size = {}, 5, 0, "large"
    bound.save()


async def test_a_spare_that_nobody_tells_that_it_is_bound_finds_it_and_is_idle_in_time(
    launch: Launch,
) -> None:
    agent = await launch(spare=True, instance_idle_timeout=2, reconnect_grace=0)
    spare = agent.row()
    ref = InstanceRef(f"{APP_ID}.{VERSION}", 0, spare.instance_id)
    bound_to(spare, ref)
    spare.update(actions=[Instance.bound_to.set(str(ref))])
    await agent.ready()
    await eventually(
        lambda: [line for line in agent.log if line["message"] == "bound"],
        f"bound; the log: {agent.log}",
    )
    await eventually(lambda: agent.cloud.said("SendTaskSuccess", "watch-1"), "idle")


async def test_a_spare_waits_ready_and_serves_the_app_that_it_is_bound_to(launch: Launch) -> None:
    agent = await launch(spare=True, instance_idle_timeout=2, reconnect_grace=0)
    await agent.ready()
    assert [line for line in agent.log if line["message"] == "ready"]
    status, said = await agent.ask("GET", "/app/", sheen_session="s", sheen_base=LOCATION)
    assert (status, "spare" in said) == (409, True)

    spare = agent.row()
    ref = InstanceRef(f"{APP_ID}.{VERSION}", 0, spare.instance_id)
    assert (await agent.ask("POST", "/bind", json.dumps({"instance": str(ref)})))[
        0
    ] == 409  # no such row
    bound_to(spare, ref)
    for _ in range(2):
        assert (await agent.ask("POST", "/bind", json.dumps({"instance": str(ref)})))[0] == 200
    other = InstanceRef(f"{APP_ID}.{VERSION}", 1, spare.instance_id)
    assert (await agent.ask("POST", "/bind", json.dumps({"instance": str(other)})))[0] == 409
    assert (await agent.ask("POST", "/bind", "{}"))[0] == 400

    agent.ref = ref
    config = await agent.page("session-1")
    assert config["worker"] == f"{VERSION}.0.1"
    await agent.open("session-1", "c1")
    assert [line["how"] for line in agent.log if line["message"] == "R started"] == ["forked"]
    assert not agent.cloud.said("SendTaskSuccess", "watch-1")
    await agent.ask("DELETE", "/connections/c1")
    await eventually(
        lambda: not store.seats_of(agent.row()), "the seat is given back on the app's row"
    )
    await eventually(lambda: agent.cloud.said("SendTaskSuccess", "watch-1"), "idle as any instance")


async def test_a_spare_that_nobody_wants_is_never_idle_and_ends_when_it_is_stopped(
    launch: Launch,
) -> None:
    agent = await launch(spare=True, instance_idle_timeout=1)
    await agent.ready()
    before = time.monotonic()
    await eventually(lambda: time.monotonic() > before + 2.5, "more than the timeout")
    assert not agent.cloud.said("SendTaskSuccess", "watch-1")
    agent.process.terminate()
    assert await asyncio.wait_for(agent.process.wait(), PATIENCE) == 0


async def test_r_stops_when_nobody_is_here_and_starts_for_the_next(launch: Launch) -> None:
    agent = await launch(app_idle_timeout=1, reconnect_grace=0)
    await agent.ready()
    await agent.page("session-1")
    await agent.open("session-1", "c1")
    first = await agent.worker()
    await agent.ask("DELETE", "/connections/c1")
    await eventually(
        lambda: [line for line in agent.log if "R stops: nobody is here" in line["message"]],
        "R stops",
    )
    assert store.seats_of(agent.row()) == {}
    await agent.page("session-2")
    second = await agent.worker()
    assert first is not None
    assert second is not None
    assert (first["id"], second["id"]) == (f"{VERSION}.0.1", f"{VERSION}.0.2")


async def test_an_idle_instance_says_so_once_for_each_token(launch: Launch) -> None:
    agent = await launch(instance_idle_timeout=1)
    await agent.ready()
    await eventually(
        lambda: agent.cloud.said("SendTaskSuccess", "watch-1"), "the first idle report"
    )
    assert json.loads(agent.cloud.said("SendTaskSuccess", "watch-1")[0]["output"]) == {"idle": True}
    assert (await agent.ask("POST", "/watch", json.dumps({"token": "watch-2", "order": 2})))[
        0
    ] == 204
    await eventually(
        lambda: agent.cloud.said("SendTaskSuccess", "watch-2"), "the second idle report"
    )
    assert len(agent.cloud.said("SendTaskSuccess", "watch-1")) == 1


async def test_an_instance_of_an_old_version_that_nobody_told_goes_by_itself(
    launch: Launch,
) -> None:
    agent = await launch(active="20261120T140000Z-0000", instance_idle_timeout=0)
    await agent.ready()
    await eventually(lambda: agent.cloud.said("SendTaskSuccess", "watch-1"), "the idle report")
    assert (await agent.ask("GET", "/app/", sheen_session="session-1", sheen_base=LOCATION))[
        0
    ] == 410


async def test_no_idle_report_while_somebody_is_here(launch: Launch) -> None:
    agent = await launch(instance_idle_timeout=1, reconnect_grace=0)
    await agent.ready()
    await agent.page("session-1")
    await agent.open("session-1", "c1")
    before = time.monotonic()
    await eventually(lambda: time.monotonic() > before + 2.5, "more than the timeout")
    assert not agent.cloud.said("SendTaskSuccess", "watch-1")
    await agent.ask("DELETE", "/connections/c1")
    await eventually(lambda: agent.cloud.said("SendTaskSuccess", "watch-1"), "the idle report")


async def test_an_app_that_crashes_is_reported_with_what_it_said(launch: Launch) -> None:
    agent = await launch("crash")
    assert await asyncio.wait_for(agent.process.wait(), PATIENCE) == 1
    [failure] = agent.cloud.said("SendTaskFailure")
    assert (failure["taskToken"], failure["error"]) == ("ready-token", "AppStartFailed")
    assert "the file sales.csv is missing" in failure["cause"]
    assert not agent.cloud.said("SendTaskSuccess")


async def test_a_slow_app_is_reported(launch: Launch) -> None:
    agent = await launch("slow", app_init_timeout=1)
    assert await asyncio.wait_for(agent.process.wait(), PATIENCE) == 1
    assert [failure["error"] for failure in agent.cloud.said("SendTaskFailure")] == [
        "AppInitTimeout"
    ]


async def test_an_instance_that_was_given_up_starts_nothing(launch: Launch) -> None:
    agent = await launch(given_up=True)
    assert await asyncio.wait_for(agent.process.wait(), PATIENCE) == 1
    await agent._reading
    assert not [line for line in agent.log if line["message"] == "R started"]


async def test_an_agent_that_dies_takes_r_with_it(launch: Launch) -> None:
    agent = await launch()
    await agent.ready()
    worker = await agent.worker()
    assert worker is not None
    agent.process.kill()
    await agent.process.wait()
    await eventually(lambda: not is_running(worker["pid"]), "R is gone")
