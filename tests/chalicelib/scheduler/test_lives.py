"""Scheduler, state machines and agents together, through random visits, leaves, crashes, lost,
doubled and late events, and clocks that differ, against the true rows and conditions. Whatever
happens: no seat too many, nobody on an instance that is going, one life for each claim, and in the
end everything sleeps.

``SHEEN_LIVES`` says how many histories are tried.
"""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chalicelib.agents.binding import Binding
from chalicelib.agents.client import TIMEOUT
from chalicelib.agents.errors import AgentGone
from chalicelib.aws import clients
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.deployment import Settings
from chalicelib.instances import spares, store
from chalicelib.instances.lease import live, new_session_id
from chalicelib.instances.state import InstanceState
from chalicelib.scheduler.queue.line import LEASE
from chalicelib.scheduler.seating import Queued, Scheduler, Seated, Starting
from tests.chalicelib.aws_in_process import aws_in_process, empty_tables
from tests.chalicelib.direct_dynamodb import direct_dynamodb
from tests.chalicelib.simulated_lives import (
    IDLE,
    START_ATTEMPTS,
    WATCH_ATTEMPTS,
    SimulatedAgent,
    World,
)
from tests.support.effort import FULL, amount

VERSIONS = ("0123456789ab.v1", "0123456789ab.v2")
SKEWS = (-3.0, 0.0, 3.0)
"""Seconds by which a Lambda's clock differs; much less than any lease."""
HISTORIES = int(os.environ.get("SHEEN_LIVES") or amount(100))


class Lives(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        empty_tables()
        self.world = World(replace(Settings.from_environment(), spares="large=1"))
        self.patched = patch.object(clients, "client", self.world.client)
        self.patched.start()
        self.queued: dict[str, list[str]] = {version: [] for version in VERSIONS}

    @initialize(
        capacity=st.integers(1, 3),
        most=st.integers(1, 3),
        start_count=st.integers(1, 2),
        load=st.sampled_from([0.0, 0.5, 1.0]),
    )
    def app(self, capacity: int, most: int, start_count: int, load: float) -> None:
        self.settings = AppSettings(
            simple_scheduler=capacity,
            max_instances=most,
            start_count=start_count,
            instance_load_factor=load,
            instance_idle_timeout=IDLE,
        )
        clock = self.world.lambdas_clock
        self.environments = [
            Scheduler(clock, {"large"}),
            Scheduler(clock),
            Scheduler(clock, {"large"}),
        ]
        self.bindings = [Binding(self.world, clock) for _ in self.environments]  # type: ignore[arg-type]

    # Visitors.

    @rule(
        version=st.sampled_from(VERSIONS),
        environment=st.integers(0, 2),
        skew=st.sampled_from(SKEWS),
        page_takes=st.sampled_from([0.0, 0.0, TIMEOUT, None]),
    )
    def visit(
        self,
        version: str,
        environment: int,
        skew: float,
        place: str | None = None,
        page_takes: float | None = 0.0,
    ) -> None:
        """``page_takes``: seconds until the page is made; None when the Lambda breaks off, and the
        agent hears nothing.
        """
        self.world.skew = skew
        session = new_session_id()
        scheduler = self.environments[environment]
        outcome = scheduler.seat(version, "/hello", self.settings, session, place)
        self.world.note_changes()
        match outcome:
            case Seated(instance):
                try:
                    self.bindings[environment].ensure(instance)
                    agent = self.world.agents.get(str(instance.address))
                    if agent is None or not agent.alive or agent.ref != instance.ref:
                        raise AgentGone("nobody there")
                except AgentGone:
                    scheduler.known.forget(version)
                    store.give_back(instance.ref, session)
                else:
                    if page_takes is not None:
                        agent.quiet_since = self.world.now
                        agent.pages[session] = self.world.now + page_takes
            case Queued(taken, _):
                if taken not in self.queued[version]:
                    self.queued[version].append(taken)
            case Starting(instance, _):
                assert instance.slot < self.settings.max_instances
        self.world.note_changes()

    @precondition(lambda self: any(self.queued.values()))
    @rule(data=st.data(), skew=st.sampled_from(SKEWS))
    def somebody_who_queued_asks(self, data: st.DataObject, skew: float) -> None:
        version = data.draw(
            st.sampled_from([version for version in VERSIONS if self.queued[version]])
        )
        place = data.draw(st.sampled_from(self.queued[version]))
        self.world.skew = skew
        if self.environments[0].standing(version, self.settings, place) is None:
            self.queued[version].remove(place)
            self.visit(version=version, environment=0, skew=skew, place=place)

    @precondition(lambda self: self.pages())
    @rule(data=st.data())
    def a_page_gets_its_socket(self, data: st.DataObject) -> None:
        self.connect(*data.draw(st.sampled_from(self.pages())))

    @precondition(lambda self: self.sessions())
    @rule(data=st.data())
    def somebody_leaves(self, data: st.DataObject) -> None:
        agent, session = data.draw(st.sampled_from(self.sessions()))
        self.leave(agent, session)

    @rule(version=st.sampled_from(VERSIONS), visitors=st.integers(2, 5), come=st.booleans())
    def a_crowd_comes(self, version: str, visitors: int, come: bool) -> None:
        for visitor in range(visitors):
            self.visit(version=version, environment=visitor % 3, skew=SKEWS[visitor % 3])
        for agent, session in self.pages() if come else ():
            self.connect(agent, session)

    @rule()
    def for_once_all_goes_well(self) -> None:
        """Without it, histories hardly ever come far."""
        self.world.skew = 0.0
        while self.world.stream:
            self.world.deliver_stream()
            del self.world.stream[0]
            self.world.note_changes()
        for _ in range(2):
            for machine in self.world.can_step():
                self.world.step(machine)
            for agent in self.booting():
                self.world.boot(agent)
        self.world.note_changes()

    @rule()
    def a_quiet_time_and_then_somebody_at_the_last_moment(self) -> None:
        for agent, session in self.sessions():
            self.leave(agent, session)
        self.world.pass_time(IDLE + 1)
        self.idle_agents_report()
        self.visit(version=VERSIONS[0], environment=0, skew=0.0)

    # What goes wrong, and what goes on.

    @precondition(lambda self: self.world.stream)
    @rule(
        fate=st.sampled_from(["comes", "comes", "comes", "twice", "lost", "late"]),
        skew=st.sampled_from(SKEWS),
    )
    def the_stream(self, fate: str, skew: float) -> None:
        self.world.skew = skew
        if fate == "late":
            self.world.stream.append(self.world.stream.pop(0))
            return
        for _ in range({"comes": 1, "twice": 2, "lost": 0}[fate]):
            self.world.deliver_stream()
        del self.world.stream[0]
        self.world.note_changes()

    @precondition(lambda self: self.world.can_step())
    @rule(data=st.data(), doubled=st.booleans(), skew=st.sampled_from(SKEWS))
    def a_machine_goes_on(self, data: st.DataObject, doubled: bool, skew: float) -> None:
        self.world.skew = skew
        self.world.step(data.draw(st.sampled_from(self.world.can_step())), doubled=doubled)
        self.world.note_changes()

    @precondition(lambda self: self.world.past)
    @rule(data=st.data(), skew=st.sampled_from(SKEWS))
    def an_invocation_of_before_comes_again(self, data: st.DataObject, skew: float) -> None:
        self.world.skew = skew
        data.draw(st.sampled_from(self.world.past))()
        self.world.note_changes()

    @precondition(lambda self: self.booting())
    @rule(data=st.data())
    def an_agent_is_ready(self, data: st.DataObject) -> None:
        self.world.boot(data.draw(st.sampled_from(self.booting())))

    @precondition(lambda self: self.alive())
    @rule(data=st.data(), told=st.booleans())
    def a_task_dies(self, data: st.DataObject, told: bool) -> None:
        self.world.die(data.draw(st.sampled_from(self.alive())))
        if not told:
            self.world.died.pop()

    @precondition(lambda self: self.world.died)
    @rule(again=st.booleans(), skew=st.sampled_from(SKEWS))
    def the_end_of_a_task_is_told(self, again: bool, skew: float) -> None:
        self.world.skew = skew
        task = self.world.died.pop(0)
        self.world.deliver_death(task)
        if again:
            self.world.died.append(task)
        self.world.note_changes()

    @precondition(lambda self: any(map(self.world.is_idle, self.world.agents.values())))
    @rule()
    def idle_agents_report(self) -> None:
        for agent in filter(self.world.is_idle, list(self.world.agents.values())):
            self.world.report_idle(agent)

    @rule(seconds=st.sampled_from([1.0, 20.0, 50.0, IDLE, 130.0, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(skew=st.sampled_from(SKEWS))
    def the_sweeper_comes(self, skew: float) -> None:
        self.world.skew = skew
        self.world.sweep()
        self.world.note_changes()

    # What must always be so.

    @invariant()
    def no_seat_too_many(self) -> None:
        for row in store.everywhere():
            assert len(store.seats_of(row)) <= row.capacity, row.ref

    @invariant()
    def who_is_there_has_a_seat(self) -> None:
        rows = {str(row.ref): row for row in store.everywhere() if row.state == InstanceState.READY}
        for agent in self.alive():
            row = rows.get(str(agent.ref))
            seats = (
                live(store.seats_of(row), self.world.now + max(SKEWS))
                if row is not None
                else agent.seated
            )
            assert not [session for session in agent.seated if session not in seats], (
                f"a seat of {agent.ref} counts as free, and is taken"
            )

    @invariant()
    def nobody_is_on_an_instance_that_is_going(self) -> None:
        now = self.world.now
        rows = {str(row.ref): row for row in store.everywhere()}
        for row in rows.values():
            if row.state == InstanceState.DRAINING:
                assert not live(store.seats_of(row), now + max(SKEWS)), (
                    f"{row.ref} drains with somebody in it"
                )
        for agent in self.world.agents.values():
            its = rows.get(str(agent.ref))
            for session in agent.seated if agent.alive else ():
                assert its is None or its.state != InstanceState.DRAINING, (
                    f"{session} is on {agent.ref}, which drains"
                )
                assert its is None or its.state != InstanceState.STOPPED or its.failure, (
                    f"{session} is on {agent.ref}, which went asleep"
                )

    @invariant()
    def one_life_for_each_claim(self) -> None:
        rows = store.everywhere()
        apps = [row.instance_id for row in rows if not spares.is_spare(row.version_id)]
        assert len(apps) == len(set(apps))
        for row in rows:
            assert spares.is_spare(row.version_id) or row.slot < self.settings.max_instances
        bound = [row.bound_to for row in rows if row.bound_to]
        assert len(bound) == len(set(bound))
        for machine in self.world.machines.values():
            if machine.state == "Watch" and machine.waits_for:
                assert machine.address, "it watches what has started"

    def teardown(self) -> None:
        try:
            if hasattr(self, "settings"):
                self.everybody_goes()
        finally:
            self.patched.stop()

    def everybody_goes(self) -> None:
        """Nobody comes any more, nothing more is lost: then everything falls asleep."""
        world, world.skew = self.world, 0.0
        world.settings = replace(world.settings, spares="")
        for _ in range(60):
            for agent, session in self.sessions():
                self.leave(agent, session)
            while world.stream:
                world.deliver_stream()
                del world.stream[0]
                world.note_changes()
            for machine in world.can_step():
                world.step(machine)
            for agent in self.booting():
                world.boot(agent)
            for agent in filter(world.is_idle, list(world.agents.values())):
                world.report_idle(agent)
            while world.died:
                world.deliver_death(world.died.pop(0))
            world.pass_time(100.0)
            world.sweep()
            world.note_changes()
            if not self.awake():
                break
        assert not self.awake(), self.awake()
        world.now += LEASE + 100
        world.sweep()
        assert world.sweep() == {}, "the sweeper has nothing to do"

    def awake(self) -> list[Any]:
        rows = [
            f"{row.ref} {row.state}"
            for row in store.everywhere()
            if row.state != InstanceState.STOPPED
        ]
        executions = [
            execution.name for execution in self.world.executions.values() if execution.running
        ]
        return [*rows, *executions, *self.world.running_tasks()]

    def connect(self, agent: SimulatedAgent, session: str) -> None:
        """The socket of a page that is made."""
        if agent.pages[session] <= self.world.now:
            del agent.pages[session]
            agent.sessions.add(session)

    def pages(self) -> list[tuple[SimulatedAgent, str]]:
        return [(agent, session) for agent in self.alive() for session in agent.pages]

    def sessions(self) -> list[tuple[SimulatedAgent, str]]:
        return [
            (agent, session)
            for agent in self.world.agents.values()
            if agent.alive
            for session in sorted(agent.sessions)
        ]

    def booting(self) -> list[SimulatedAgent]:
        return [agent for agent in self.world.agents.values() if agent.alive and not agent.ready]

    def alive(self) -> list[SimulatedAgent]:
        return [agent for agent in self.world.agents.values() if agent.alive]

    def leave(self, agent: SimulatedAgent, session: str) -> None:
        agent.sessions.discard(session)
        agent.quiet_since = self.world.now
        store.give_back(agent.ref, session)


def test_the_simulated_machine_is_that_of_the_file() -> None:
    states = json.loads(
        (Path(__file__).parents[3] / "statemachines" / "instance.asl.json").read_text()
    )["States"]
    assert {name: state.get("Next") or state.get("Default") for name, state in states.items()} == {
        "StartTask": "Watch",
        "Watch": "Drain",
        "Drain": "Drained",
        "Drained": "Watch",
        "Stop": "Asleep",
        "Asleep": None,
        "Fail": "Failed",
        "Failed": None,
    }
    assert (
        max(retrier["MaxAttempts"] for retrier in states["StartTask"]["Retry"])
        == START_ATTEMPTS - 1
    )
    ran = [
        retrier["MaxAttempts"]
        for retrier in states["Watch"]["Retry"]
        if "States.TaskFailed" in retrier["ErrorEquals"]
    ]
    assert ran == [WATCH_ATTEMPTS - 1], (
        "but for what Lambda did not run at all, which changes nothing"
    )


def test_whatever_happens_nobody_is_thrown_out_and_everything_falls_asleep() -> None:
    with aws_in_process(), direct_dynamodb():
        run_state_machine_as_test(
            Lives,
            settings=settings(
                max_examples=HISTORIES,
                stateful_step_count=40,
                deadline=None,
                derandomize=not FULL,
                suppress_health_check=list(HealthCheck),
                print_blob=True,
                phases=(
                    Phase.generate,
                ),  # a history is read in a minute; making it shorter takes many
            ),
        )
