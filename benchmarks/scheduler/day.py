"""A day of a deployment: visitors, Lambda environments and instances around the scheduler's own
code.

What decides is the code that runs on AWS: :class:`chalicelib.scheduler.seating.Scheduler` with its
decisions, memory and queue,
:class:`chalicelib.apps.directory.Directory`, and the agent's
:func:`chalicelib.scheduler.spread.spread`. What it calls is here: tables (:mod:`.tables`), machines
that take their time to start, agents that renew leases and report idle.
"""

import random
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

from benchmarks.scheduler.engine import Engine
from benchmarks.scheduler.tables import (
    CONNECTION_BYTES,
    Apps,
    Bill,
    Instances,
    Queues,
    Row,
    pause_of,
)
from benchmarks.scheduler.traffic import Traffic, Visit, visits
from chalicelib.apps import directory
from chalicelib.apps.model import App
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances import lease
from chalicelib.instances.model import InstanceRef, VersionId
from chalicelib.instances.state import InstanceState, is_overdue
from chalicelib.scheduler import seating, spread
from chalicelib.scheduler.queue import line
from chalicelib.scheduler.seating import NoRoom, Queued, Scheduler, Seated, Starting
from relay.settings import RelaySettings

ENVIRONMENT_LIFE = 600.0
"""Seconds after which AWS ends an idle Lambda environment, about."""
PAGE = 0.05, 0.4
"""Seconds that an app takes for its page, from … to."""
SOCKET = 0.3, 2.0
"""Seconds until the page's socket comes."""
START = 30.0, 60.0
"""Seconds from a claim to a ready instance (FACTS E1)."""
STOP = 20.0
BAD_STARTS = 0.002
"""Share of starts that fail."""
POLL_FIRST, POLL_LONGEST, POLL_GROWTH = 0.2, 2.0, 1.3
"""Seconds between two questions of a waiting page (waiting.js)."""
SETTINGS = AppSettings(
    utilization_scheduler=(25, 0.9, 2), max_instances=60, instance_load_factor=0.8
)
"""Of every app: two R processes an instance, of 25 sessions each."""


@dataclass
class Outcome:
    """What the day came to."""

    arrived: int = 0
    served: int = 0
    turned_away: int = 0
    """Told that there is no room."""
    left: int = 0
    """Lost patience."""
    waiting: int = 0
    """Still waiting at the end."""
    waits: list[float] = field(default_factory=list)
    """Seconds from the visit to the app's page, of those who were served."""
    warm: int = 0
    """Served by their first request."""
    instances: int = 0
    instance_seconds: float = 0.0
    session_seconds: float = 0.0
    workers: int = 0
    """R processes that were started."""
    invocations: int = 0
    """Of the function that takes visitors' requests."""
    environments: int = 0
    bill: Bill = field(default_factory=Bill)


@dataclass
class Environment:
    """One Lambda environment: what it remembers. It takes one request at a time (FACTS H3)."""

    scheduler: Scheduler
    directory: directory.Directory
    used_at: float


class Agent:
    """One instance from its claim to its end."""

    def __init__(self, row: Row, settings: AppSettings) -> None:
        self.ref = row.ref
        self._limits = settings.worker_limits
        self.workers: dict[int, int] = {}
        self.by_session: dict[str, int] = {}
        self.opened = 0
        self.quiet_since = 0.0
        self.gone = False

    def place(self, session_id: str) -> None:
        """Put a session on a worker, as the agent does."""
        match spread.spread(self.workers, self._limits):
            case spread.OnNewWorker():
                self.opened += 1
                worker = self.opened
                self.workers[worker] = 0
            case spread.OnWorker(worker):
                pass
            case spread.WorkersFull():
                raise AssertionError(f"a seat of {self.ref} was given that it does not have")
        self.workers[worker] += 1
        self.by_session[session_id] = worker

    def leave(self, session_id: str, now: float) -> None:
        """A session has ended; a worker that nobody uses is ended too (``app_idle_timeout`` is
        short beside everything here).
        """
        worker = self.by_session.pop(session_id)
        self.workers[worker] -= 1
        if not self.workers[worker]:
            del self.workers[worker]
        if not self.by_session:
            self.quiet_since = now


class Day:
    """Simulates one."""

    def __init__(self, traffic: Traffic, seed: int = 1, settings: AppSettings = SETTINGS) -> None:
        self._settings = settings
        self.engine = Engine()
        self.outcome = Outcome()
        self._chance = random.Random(seed + 1)
        self._seconds = traffic.seconds
        pause = pause_of(self.engine.sleep, self._chance)
        self._pause = pause
        bill = self.outcome.bill
        self.instances = Instances(bill, pause, self._claimed)
        self._queues = Queues(bill, pause)
        self._apps = Apps(
            bill,
            pause,
            (
                App(
                    f"/app-{number}",
                    app_id=f"{number:012x}",
                    unix_id=1,
                    active_version="v1",
                    settings={},
                    created_at=0,
                    updated_at=0,
                )
                for number in range(traffic.apps)
            ),
        )
        self._visits = visits(traffic, seed)
        self._idle: list[Environment] = []
        self._agents: dict[str, Agent] = {}

    def run(self) -> Outcome:
        """Simulate the day, and half an hour more in which what began comes to its end."""
        with self._in_place():
            self.engine.start(self._arrive)
            self.engine.run(until=self._seconds + 1800)
        end = self.engine.now
        for agent in self._agents.values():  # what still runs has run until now
            self._count_life(agent, end)
        return self.outcome

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """The code under simulation finds these tables and this clock, and chance comes from the
        seed.
        """
        seeded = types.SimpleNamespace(
            token_hex=lambda size: f"{self._chance.getrandbits(size * 8):0{size * 2}x}"
        )
        with (
            patch.object(seating, "store", self.instances),
            patch.object(seating, "queue", self._queues),
            patch.object(directory, "read_together", self._apps.read_together),
            patch.object(line, "secrets", seeded),
            patch.object(lease, "secrets", seeded),
        ):
            yield

    def _arrive(self) -> None:
        for visit in self._visits:
            self.engine.sleep(max(0.0, visit.at - self.engine.now))
            self.engine.start(self._visit, visit)

    # A visitor

    def _visit(self, visit: Visit) -> None:
        out, engine = self.outcome, self.engine
        out.arrived += 1
        out.waiting += 1
        location, asked = f"/app-{visit.app}", 0
        place: str | None = None
        deadline = engine.now + visit.patience
        while True:
            asked += 1
            session_id = lease.new_session_id()
            seated = None
            with self._environment() as environment:
                found = environment.directory.find(location, engine.now)
                assert isinstance(found, directory.AppAtPath)
                version_id = str(VersionId(found.app.app_id, str(found.app.active_version)))
                answer = environment.scheduler.seat(
                    version_id, location, self._settings, session_id, place
                )
                if isinstance(answer, Seated):
                    seated = self._page(answer.instance.ref, session_id)
            if seated is not None:
                break
            match answer:
                case Seated():
                    continue  # its machine is just going: the page is asked for again
                case NoRoom():
                    out.turned_away += 1
                    out.waiting -= 1
                    return
                case Starting(instance):
                    stays = self._await_start(version_id, instance.instance_id, deadline)
                case Queued(queued):
                    place = queued
                    stays = self._await_seat(version_id, queued, deadline)
            if not stays:
                out.left += 1
                out.waiting -= 1
                return
        out.waiting -= 1
        out.served += 1
        out.warm += asked == 1
        out.waits.append(engine.now - visit.at)
        self._session(seated, session_id, visit.stays)

    def _page(self, ref: InstanceRef, session_id: str) -> Agent | None:
        """The agent answers with the app's page, if it is there."""
        agent = self._agents.get(ref.instance_id)
        if agent is None or agent.gone:
            self.instances.give_back(ref, session_id)
            return None
        agent.place(session_id)
        self.engine.sleep(self._chance.uniform(*PAGE))
        return agent

    def _await_start(self, version_id: str, instance_id: str, deadline: float) -> bool:
        """The waiting page asks how far the start is; False when its visitor leaves."""
        delay = POLL_FIRST
        while self.engine.now < deadline:
            self.engine.sleep(delay)
            delay = min(POLL_LONGEST, delay * POLL_GROWTH)
            with self._environment() as environment:
                environment.directory.find(
                    "/app-" + str(int(version_id.partition(".")[0], 16)), self.engine.now
                )
                rows = self.instances.of_version(version_id)
            row = next((row for row in rows if row.instance_id == instance_id), None)
            if (
                row is None
                or row.state != InstanceState.STARTING
                or is_overdue(row.state, row.claimed_at, self.engine.now)
            ):
                return True
        return False

    def _await_seat(self, version_id: str, place: str, deadline: float) -> bool:
        """The page of a full app asks whether it is its turn; False when its visitor leaves."""
        delay = line.FIRST_POLL
        while self.engine.now < deadline:
            self.engine.sleep(delay)
            with self._environment() as environment:
                environment.directory.find(
                    "/app-" + str(int(version_id.partition(".")[0], 16)), self.engine.now
                )
                standing = environment.scheduler.standing(version_id, self._settings, place)
            if standing is None:
                return True
            delay = line.next_poll(standing.before)
        return False

    def _session(self, agent: Agent, session_id: str, stays: float) -> None:
        """The session, from its page to its end."""
        engine, bill = self.engine, self.outcome.bill
        if not stays:  # its page waits for the socket in vain
            engine.sleep(RelaySettings().reservation)
            agent.leave(session_id, engine.now)
            self.instances.give_back(agent.ref, session_id)
            return
        engine.sleep(self._chance.uniform(*SOCKET))
        self._pause()
        bill.write("PutItem connections", CONNECTION_BYTES)
        engine.sleep(stays)
        self.outcome.session_seconds += stays
        agent.leave(session_id, engine.now)
        self._pause()
        bill.write("DeleteItem connections", CONNECTION_BYTES)
        self.instances.give_back(agent.ref, session_id)

    @contextmanager
    def _environment(self) -> Iterator[Environment]:
        """The Lambda environment that takes a request: the one used last of those that are free,
        else a new one.
        """
        now = self.engine.now
        self.outcome.invocations += 1
        while self._idle and now - self._idle[0].used_at > ENVIRONMENT_LIFE:
            self._idle.pop(0)
        if self._idle:
            environment = self._idle.pop()
        else:
            self.outcome.environments += 1
            environment = Environment(Scheduler(self.engine.clock), directory.Directory(), now)
        try:
            yield environment
        finally:
            environment.used_at = self.engine.now
            self._idle.append(environment)

    # An instance

    def _claimed(self, row: Row) -> None:
        agent = Agent(row, self._settings)
        self._agents[row.instance_id] = agent
        self.outcome.instances += 1
        self.engine.start(self._live, agent, row.claimed_at)

    def _live(self, agent: Agent, claimed_at: float) -> None:
        """Start, serve, and stop when idle, as the state machine and the agent do it together."""
        engine, store, ref = self.engine, self.instances, agent.ref
        engine.sleep(self._chance.uniform(*START))
        store.mark_phase(ref)
        store.mark_phase(ref)
        if self._chance.random() < BAD_STARTS:
            agent.gone = True
            store.mark_stopped(ref, {"error": "States.TaskFailed"}, engine.now)
            self._count_life(agent, engine.now, claimed_at)
            del self._agents[ref.instance_id]
            return
        agent.quiet_since = engine.now
        store.mark_ready(ref, engine.now)
        store.mark_worker(ref)
        renewal = engine.now + lease.RENEW_EVERY
        while True:
            idle_at = (
                agent.quiet_since + self._settings.instance_idle_timeout
                if not agent.by_session
                else renewal
            )
            engine.sleep(max(0.1, min(renewal, idle_at) - engine.now))
            if engine.now >= renewal:
                renewal = engine.now + lease.RENEW_EVERY
                store.renew(ref, lease.renewed(agent.by_session, engine.now))
            quiet = (
                not agent.by_session
                and engine.now - agent.quiet_since >= self._settings.instance_idle_timeout
            )
            if quiet:
                if store.drain(ref, engine.now):
                    break
                store.mark_ready(ref, engine.now)  # the machine watches again
                agent.quiet_since = engine.now
        agent.gone = True
        engine.sleep(STOP)
        store.mark_stopped(ref, None, engine.now)
        self._count_life(agent, engine.now, claimed_at)
        del self._agents[ref.instance_id]

    def _count_life(self, agent: Agent, until: float, claimed_at: float | None = None) -> None:
        begun = claimed_at if claimed_at is not None else self._row_of(agent).claimed_at
        self.outcome.instance_seconds += until - begun
        self.outcome.workers += agent.opened

    def _row_of(self, agent: Agent) -> Row:
        return self.instances.rows[agent.ref.version_id][agent.ref.slot]
