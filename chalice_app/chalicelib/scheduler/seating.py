"""Give visitors seats: read the instances' rows, decide, act, and start over after a lost race."""

import random
from collections.abc import Collection
from typing import NamedTuple

from chalicelib import telemetry
from chalicelib.clock import Clock
from chalicelib.configuration.above import NOTHING, Above
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances import spares, store
from chalicelib.instances.ceilings import store as ceilings
from chalicelib.instances.ceilings.errors import TooManyInstances
from chalicelib.instances.ceilings.model import INSTANCES
from chalicelib.instances.lease import HELD, Expired, new_session_id
from chalicelib.instances.model import Instance
from chalicelib.instances.state import InstanceState
from chalicelib.scheduler.decision import (
    Candidate,
    Claim,
    InstanceLimits,
    Seat,
    VersionFull,
    WaitForSlot,
    ahead,
    decide,
    failed_lately,
    sleeps,
)
from chalicelib.scheduler.memory import KnownInstances
from chalicelib.scheduler.queue import store as queue
from chalicelib.scheduler.queue.line import (
    FIRST_LEASE,
    MARK,
    MOST,
    TURN,
    Standing,
    alive,
    is_in,
    needs_renewal,
    new_place,
    of_address,
    standing,
)

ATTEMPTS = 8
"""Lost races before a visitor is told that the app is full.

Each one means that another visitor got in.
"""
_SPARES_TRIED = 4


class Seated(NamedTuple):
    """The visitor has a seat on this instance until the seat's lease ends."""

    instance: Instance


class Starting(NamedTuple):
    """The visitor waits for this instance. ``claimed`` is true if this very call claimed it."""

    instance: Instance
    claimed: bool


class Queued(NamedTuple):
    """Every instance that the app may have is full, and the visitor has a place in the queue."""

    place: str
    standing: Standing


class DeploymentFull(NamedTuple):
    """No instance of the app runs, and the deployment may start no further instance."""

    most: int


class StartFailed(NamedTuple):
    """No instance of the app runs, and its last start failed a moment ago."""


class NoRoom(NamedTuple):
    """Every instance that the app may have is full, and so is the queue."""

    seats: int


Outcome = Seated | Starting | Queued | DeploymentFull | NoRoom


class SeatRequest(NamedTuple):
    """The version that a visitor needs a seat of, and its app's name and settings."""

    version_id: str
    app: str
    settings: AppSettings
    above: Above = NOTHING
    """The layers of a configuration with which the settings were resolved."""

    @property
    def limits(self) -> InstanceLimits:
        return InstanceLimits.of(self.settings)


class Scheduler:
    """The scheduler of one Lambda environment.

    It remembers the instances that its last look found.
    """

    def __init__(self, clock: Clock, spares: Collection[str] = (), most_instances: int = 0) -> None:
        """Make a scheduler.

        ``spares`` are the sizes for which the deployment keeps spare instances.
        ``most_instances`` is the ceiling of instances in the deployment; 0 means no ceiling.
        """
        self._clock = clock
        self._most_instances = most_instances
        self._spares = spares
        self.known = KnownInstances()

    def seat(
        self,
        version_id: str,
        app: str,
        settings: AppSettings,
        session_id: str,
        place: str | None = None,
        gone: Collection[str] = (),
        address: str = "",
        above: Above = NOTHING,
    ) -> Outcome:
        """Give the session a seat, or return what it waits for.

        ``place`` is the visitor's place in the queue. ``gone`` names the instances whose agents did
        not answer this visitor; the other instances are tried first. ``address``
        (:mod:`chalicelib.visits.address`) is where the visitor comes from. ``above`` are the layers
        of a configuration; an instance that has earlier ones gets these
        (:meth:`chalicelib.configuration.above.Above.replaces`).

        If a READY instance is in memory, this costs one DynamoDB call. It costs more if this
        visitor makes a further instance necessary, or if there is a queue.
        """
        wanted = SeatRequest(version_id, app, settings, above)
        seated = self._from_memory(wanted, session_id) if place is None and not gone else None
        gone = {*gone, *self.known.gone(self._clock())}
        if seated is not None:
            if self._ahead(
                wanted,
                self.known.rows(version_id, self._clock(), alone=settings.max_instances == 1),
            ):
                self._claim_ahead(wanted, self._look(version_id))
            return seated
        for _ in range(ATTEMPTS):
            rows = self._look(version_id)
            line = self._line(rows, version_id, place)
            try:
                outcome = self._try(rows, wanted, session_id, line, place, gone)
            except TooManyInstances as error:
                telemetry.logger.warning("no instance is started", extra={"why": str(error)})
                if sleeps([candidate_of(row) for row in rows], self._clock()):
                    return DeploymentFull(self._most_instances)
                # VersionFull counts the seats of the instances that the app has.
                outcome = VersionFull(wanted.settings.worker_limits.seats)
            if isinstance(outcome, VersionFull):
                return self._queue_up(
                    rows, wanted, queue.line(version_id) if line is None else line, place, address
                )
            if outcome is not None:
                woken = sleeps([candidate_of(row) for row in rows], self._clock())
                self._claim_ahead(wanted, self._with(rows, outcome.instance), woken=woken)
                if place is not None and line and place in line:
                    self._served(version_id, place, outcome)
                return outcome
        return NoRoom(settings.worker_limits.seats * settings.max_instances)

    def wake(
        self, version_id: str, app: str, settings: AppSettings, above: Above = NOTHING
    ) -> Instance | StartFailed | None:
        """Return a ready instance for a request that needs no seat.

        Return None if the request has to wait for an instance, which this call may have claimed.
        Return :class:`StartFailed` if the last start failed a moment ago. Raise
        :class:`TooManyInstances` if the deployment may start no further instance.
        """
        wanted = SeatRequest(version_id, app, settings, above)
        for _ in range(ATTEMPTS):
            rows, now = self._look(version_id), self._clock()
            gone = self.known.gone(now)
            ready = min(
                filter(is_ready, rows), key=lambda row: row.instance_id in gone, default=None
            )
            places = [candidate_of(row) for row in rows]
            if ready is not None or not sleeps(places, now):
                return self._adopting(ready, above) if ready is not None else None
            if failed_lately(places, now):
                return StartFailed()
            match decide(places, now, wanted.limits):
                case Claim() as claim:
                    by_slot = {int(row.slot): row for row in rows}
                    visitor = new_session_id()
                    bound = self._bind(wanted, claim, by_slot, visitor)
                    if bound is not None:
                        store.give_back(bound.ref, visitor)
                        return bound
                    if self._claim(wanted, claim, by_slot) is not None:
                        return None
                case _:  # an instance is draining; its slot will be free
                    return None
        return None

    def standing(self, version_id: str, settings: AppSettings, place: str) -> Standing | None:
        """Renew a waiting page's place and return its standing.

        Return None if it is the place's turn, or if the place is lost.
        """
        rows, line, now = self._look(version_id), queue.line(version_id), self._clock()
        if not is_in(line, place, now):
            return None
        stands = standing(line, place, now)
        match decide(
            [candidate_of(row) for row in rows], now, InstanceLimits.of(settings), stands.before
        ):
            case VersionFull():
                pass
            case Claim() if (
                self._most_instances and len(ceilings.holders(INSTANCES)) >= self._most_instances
            ):
                pass
            case _:
                if line[place] - now > TURN:
                    queue.renew(version_id, place, now, TURN)
                return None
        if needs_renewal(line[place], now):
            queue.renew(version_id, place, now)
        self._mark_queued(rows, now)
        return stands

    def _line(
        self, rows: list[Instance], version_id: str, place: str | None
    ) -> dict[str, float] | None:
        """Read the queue if a row or the visitor says that there is one; otherwise return None."""
        now = self._clock()
        return (
            queue.line(version_id)
            if place is not None or any(is_queued(row, now) for row in rows)
            else None
        )

    def _queue_up(
        self,
        rows: list[Instance],
        wanted: SeatRequest,
        line: dict[str, float],
        place: str | None,
        address: str,
    ) -> Outcome:
        """Keep the visitor's place, or give the visitor one at the end of the queue.

        Return :class:`NoRoom` if the queue, or the part of it for the visitor's address, is full.
        The rows are marked first, so that no later visitor overtakes.
        """
        now = self._clock()
        self._mark_queued(rows, now)
        if place is not None and is_in(line, place, now):
            if needs_renewal(line[place], now):
                queue.renew(wanted.version_id, place, now)
        elif len(alive(line, now)) >= MOST or 0 < wanted.settings.queue_per_address <= of_address(
            line, address, now
        ):
            return NoRoom(wanted.settings.worker_limits.seats * wanted.settings.max_instances)
        else:
            place = new_place(now, address)
            queue.take(wanted.version_id, place, now)
            line = {**line, place: now + FIRST_LEASE}
        return Queued(place, standing(line, place, now))

    def _mark_queued(self, rows: list[Instance], now: float) -> None:
        for at, row in enumerate(rows):
            if row.state == InstanceState.READY and float(row.queued_until or 0.0) - now < MARK / 2:
                rows[at] = store.mark_queued(row.ref, now + MARK) or row

    def _served(self, version_id: str, place: str, outcome: Seated | Starting) -> None:
        """Give up a place that is no longer needed, or keep it until its instance has started."""
        if isinstance(outcome, Seated):
            queue.leave(version_id, place)
        else:
            queue.renew(version_id, place, self._clock())

    def _look(self, version_id: str) -> list[Instance]:
        rows = store.of_version(version_id)
        self.known.remember(version_id, rows, self._clock())
        return rows

    def _from_memory(self, wanted: SeatRequest, session_id: str) -> Seated | None:
        """Take a seat that this environment remembers as free.

        Memory may be out of date, so no other decision is based on it.
        """
        now = self._clock()
        remembered = self.known.rows(
            wanted.version_id, now, alone=wanted.settings.max_instances == 1
        )
        match decide(
            [candidate_of(row) for row in remembered], now, wanted.limits, gone=self.known.gone(now)
        ):
            case Seat(slot, instead_of):
                row = next(row for row in remembered if row.slot == slot)
                return self._take(row, wanted, session_id, now, instead_of, unless_queued=True)
        return None

    def _try(
        self,
        rows: list[Instance],
        wanted: SeatRequest,
        session_id: str,
        line: dict[str, float] | None,
        place: str | None,
        gone: Collection[str],
    ) -> Seated | Starting | VersionFull | None:
        """Carry out the decision; return None if another request was faster."""
        now = self._clock()
        by_slot = {int(row.slot): row for row in rows}
        before = standing(line, place, now).before if line else 0
        match decide([candidate_of(row) for row in rows], now, wanted.limits, before, gone):
            case Seat(slot, instead_of):
                return self._take(
                    by_slot[slot], wanted, session_id, now, instead_of, unless_queued=line is None
                )
            case Claim() as claim:
                bound = self._bind(wanted, claim, by_slot, session_id)
                if bound is not None:
                    return Seated(bound)
                claimed = self._claim(wanted, claim, by_slot)
                return Starting(claimed, claimed=True) if claimed is not None else None
            case WaitForSlot(slot):
                return Starting(by_slot[slot], claimed=False)
            case VersionFull() as full:
                return full

    def _take(
        self,
        row: Instance,
        wanted: SeatRequest,
        session_id: str,
        now: float,
        instead_of: Expired | None,
        *,
        unless_queued: bool,
    ) -> Seated | None:
        taken = store.take_seat(
            row.ref,
            session_id,
            now + HELD,
            instead_of,
            unless_queued_at=now if unless_queued else None,
        )
        if taken is None:
            return None
        taken = self._adopting(taken, wanted.above)
        self.known.update(taken.version_id, taken)
        return Seated(taken)

    @staticmethod
    def _adopting(row: Instance, above: Above) -> Instance:
        """Return the row of a ready instance after it has got the layers that it should have.

        The agent learns of them with the next page (:data:`chalicelib.agents.protocol.ABOVE`).
        """
        if not above.replaces(row.above or "", int(row.above_number or 0)):
            return row
        return store.adopt(row.ref, above) or row

    def _claim(
        self, wanted: SeatRequest, claim: Claim, by_slot: dict[int, Instance]
    ) -> Instance | None:
        claimed = store.claim(
            wanted.version_id,
            claim.slot,
            app=wanted.app,
            capacity=wanted.settings.worker_limits.seats,
            size=wanted.settings.size,
            now=self._clock(),
            seen=by_slot[claim.slot] if claim.seen is not None else None,
            most=self._most_instances,
            above=wanted.above,
        )
        if claimed is not None:
            self.known.update(wanted.version_id, claimed)
        return claimed

    def _bind(
        self, wanted: SeatRequest, claim: Claim, by_slot: dict[int, Instance], session_id: str
    ) -> Instance | None:
        """Bind a spare of the app's size, if there is one, with a seat for the visitor in it."""
        size, now = wanted.settings.size, self._clock()
        if size not in self._spares:
            return None
        free = [row for row in spares.in_pool(size) if spares.is_free(row)]
        # Visitors of other apps come at the same moment. A random choice keeps them off the same
        # spare.
        for spare in random.sample(free, min(len(free), _SPARES_TRIED)):
            bound = spares.bind(
                spare,
                wanted.version_id,
                claim.slot,
                app=wanted.app,
                capacity=wanted.settings.worker_limits.seats,
                session_id=session_id,
                lease=now + HELD,
                now=now,
                seen=by_slot[claim.slot] if claim.seen is not None else None,
                above=wanted.above,
            )
            if bound is not None:
                telemetry.logger.info(
                    "a spare is bound",
                    extra={"instance": bound.instance_id, "spare": bound.was_spare},
                )
                self.known.update(wanted.version_id, bound)
                return bound
        return None

    def _ahead(
        self, wanted: SeatRequest, rows: list[Instance], *, woken: bool = False
    ) -> tuple[Claim, ...]:
        return ahead([candidate_of(row) for row in rows], self._clock(), wanted.limits, woken=woken)

    def _claim_ahead(
        self, wanted: SeatRequest, rows: list[Instance], *, woken: bool = False
    ) -> None:
        """Claim the missing instances, given the rows just read.

        A lost race means that another did it.
        """
        by_slot = {int(row.slot): row for row in rows}
        for claim in self._ahead(wanted, rows, woken=woken):
            try:
                self._claim(wanted, claim, by_slot)
            except TooManyInstances as error:
                telemetry.logger.warning(
                    "no instance is started ahead of need", extra={"why": str(error)}
                )
                return

    @staticmethod
    def _with(rows: list[Instance], changed: Instance) -> list[Instance]:
        return [*(row for row in rows if row.slot != changed.slot), changed]


def candidate_of(row: Instance) -> Candidate:
    """Return the row as the decision sees it."""
    failed_at = float(row.stopped_at) if row.failure and row.stopped_at is not None else None
    return Candidate(
        int(row.slot),
        row.instance_id,
        row.state,
        store.seats_of(row),
        int(row.capacity),
        float(row.claimed_at),
        failed_at,
    )


def is_queued(row: Instance, now: float) -> bool:
    """Return whether visitors queue for a seat on this instance."""
    return (
        row.state == InstanceState.READY
        and row.queued_until is not None
        and float(row.queued_until) > now
    )


def is_ready(row: Instance) -> bool:
    """Return whether the instance takes visitors and its address is known."""
    return row.state == InstanceState.READY and bool(row.address)
