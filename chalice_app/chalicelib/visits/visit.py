"""Takes a visitor's request through: location → seat → agent → answer."""

from collections.abc import Callable, Collection
from typing import assert_never

from chalicelib import pages, telemetry
from chalicelib.agents.binding import Binding
from chalicelib.agents.client import REFUSAL, Agent, AgentAnswer, AgentClient
from chalicelib.agents.errors import AgentGone, AgentSilent
from chalicelib.apps.directory import Directory
from chalicelib.apps.locations import ROOT, climbs
from chalicelib.apps.model import App
from chalicelib.bodies.limits import LARGEST_ANSWER
from chalicelib.bodies.pages import kept_page
from chalicelib.errors import SheenError
from chalicelib.instances import store
from chalicelib.instances.model import Instance, VersionId
from chalicelib.instances.worker_id import WorkerId
from chalicelib.scheduler.seating import NoRoom, Queued, Scheduler, Seated, Starting, is_ready
from chalicelib.sessions.lease import new_session_id
from chalicelib.visits import admission, census, waiting
from chalicelib.visits.answer import Answer, passed_on
from chalicelib.visits.request import VisitorRequest
from chalicelib.visits.routing import (
    HEALTH_CHECK,
    SOCKJS,
    Asset,
    Navigation,
    QueueStatus,
    Redirect,
    StartStatus,
    ToWorker,
    destination,
    wants_page,
)

_RETRY_AFTER = "5"
_MOST_GONE = 2
"""Instances that a page's request may find gone before it tries the last one: each may take three seconds to show it."""


class Visits:
    """What one Lambda environment needs to take visitors' requests through, and remembers from one to the next."""

    def __init__(self, agents: AgentClient, clock: Callable[[], float], spares: Collection[str] = ()) -> None:
        """``spares``: as :class:`Scheduler` takes them."""
        self._agents = agents
        self._clock = clock
        self._directory = Directory()
        self._binding = Binding(agents, clock)
        self._scheduler = Scheduler(clock, spares)

    def answer(self, request: VisitorRequest) -> Answer:
        """Answer any request; what goes wrong is told by a page with its cause and way out."""
        with telemetry.about(request_id=request.request_id):
            try:
                return self._answer(request)
            except AgentSilent as error:
                telemetry.logger.warning("the app did not answer", extra={"error": str(error)})
                message = "It may be busy with a long computation. Wait a moment, then try again."
                return Answer.page(pages.error("The app does not answer", message, retry_url=_public(request), status=504))
            except AgentGone as error:
                telemetry.logger.warning("the app's machine is gone", extra={"error": str(error)})
                message = "It has just stopped, or it cannot be reached. In a moment another one can be started."
                return Answer.page(pages.error("The app's machine is gone", message, retry_url=_public(request), status=503))
            except SheenError as error:
                telemetry.logger.exception("refused")
                return Answer.page(pages.error("That did not work", str(error)))
            except Exception:
                telemetry.logger.exception("failed")
                message = f"Sheen could not answer. Tell whoever runs it this number: {request.request_id}."
                return Answer.page(pages.error("Something broke", message, retry_url=_public(request)))

    def _answer(self, request: VisitorRequest, gone: frozenset[str] = frozenset()) -> Answer:
        """``gone``: the instances that this request found gone."""
        if request.path == HEALTH_CHECK:
            return census.health_check(self._clock())
        if climbs(request.path):
            return Answer.text(400, "a path with . or .. in it is not allowed\n")
        found = self._directory.find(request.path, self._clock(), page=wants_page(request))
        if found is None or found.app.active_version is None:
            if request.path == ROOT:
                return census.index(request.base, self._clock())
            return Answer.page(pages.not_found(request.path, request.base + "/"))
        app = found.app
        with telemetry.about(app=app.location):
            closed = admission.refused(request, app)
            if closed is not None:
                return closed
            where = destination(request, app.location, found.rest)
            match where:
                case Redirect(to):
                    return Answer(307, (("location", to), ("cache-control", "no-store")), b"")
                case StartStatus(instance_id):
                    return waiting.start_status(app, instance_id, store.of_version(_version_id(app)), self._clock())
                case QueueStatus(place):
                    return waiting.queue_status(self._scheduler.standing(_version_id(app), app.effective_settings(), place))
                case Navigation():
                    kept = self._kept_page(request, app, found.rest) if not gone else None
                    return kept or waiting.without_page(request, app, self._navigate(request, app, found.rest, gone))
                case ToWorker(worker):
                    return self._to_worker(request, app, found.rest, worker)
                case Asset():
                    return self._asset(request, app, found.rest)
                case _:
                    assert_never(where)

    def _navigate(self, request: VisitorRequest, app: App, rest: str, gone: frozenset[str]) -> Answer:
        """A page: take a seat, and let the app answer; or say what the visitor waits for."""
        settings = app.effective_settings()
        version_id = _version_id(app)
        place = waiting.place_of(request)
        session_id = new_session_id()
        outcome = self._scheduler.seat(version_id, app.location, settings, session_id, place, gone)
        telemetry.count(type(outcome).__name__)
        match outcome:
            case Seated(instance):
                with telemetry.about(instance=instance.instance_id, session=session_id):
                    try:
                        answer = self._ask(request, app, rest, instance, session_id)
                        return answer if place is None else waiting.without_place(request, app, answer)
                    except AgentGone:
                        self._scheduler.known.forget(version_id)
                        self._directory.forget()  # it may have retired because another version is active now
                        store.give_back(instance.ref, session_id)
                        if instance.instance_id in gone or len(gone) == _MOST_GONE:
                            raise
                return self._answer(request, gone | {instance.instance_id})
            case Starting(instance, claimed):
                telemetry.logger.info("waits", extra={"instance": instance.instance_id, "claimed": claimed})
                return waiting.for_a_start(request, app, instance, self._clock())
            case Queued(taken, standing):
                return waiting.for_a_seat(request, app, taken, standing)
            case NoRoom():
                return Answer.page(pages.users(census.app_name(app.location)))
            case _:
                assert_never(outcome)

    def _kept_page(self, request: VisitorRequest, app: App, rest: str) -> Answer | None:
        """The page that an agent has kept for the visitor, who got the one of a busy app before; None: there is none (any more)."""
        kept = kept_page(request.cookies)
        if kept is None:
            return None
        version_id = str(VersionId(app.app_id, kept.worker.version))
        instance = self._scheduler.known.in_slot(version_id, kept.worker.slot) or store.in_slot(version_id, kept.worker.slot)
        if instance is None or not is_ready(instance):
            return None
        try:
            got = self._got(request, app, rest, instance, [("sheen-page", kept.token)])
        except (AgentGone, AgentSilent):
            self._scheduler.known.forget(version_id)
            return None
        return None if any(name.lower() == REFUSAL for name, _ in got.headers) else _passed_back(got)

    def _to_worker(self, request: VisitorRequest, app: App, rest: str, worker: WorkerId) -> Answer:
        """A request for one R process goes to its instance and to no other, also when another version is active by now."""
        version_id = str(VersionId(app.app_id, worker.version))
        remembered = self._scheduler.known.in_slot(version_id, worker.slot)
        if remembered is not None:
            try:
                return self._ask(request, app, rest, remembered)
            except AgentGone:
                self._scheduler.known.forget(version_id)
        instance = store.in_slot(version_id, worker.slot)
        if instance is None or not is_ready(instance):
            return Answer.text(410, "this session's R process has ended; load the page again\n")
        self._scheduler.known.learn(version_id, instance)
        return self._ask(request, app, rest, instance)

    def _asset(self, request: VisitorRequest, app: App, rest: str) -> Answer:
        """A request without a seat goes to any ready instance of the active version."""
        version_id = _version_id(app)
        remembered = self._scheduler.known.any_of(version_id)
        if remembered is not None:
            try:
                return self._ask(request, app, rest, remembered)
            except AgentGone:
                self._scheduler.known.forget(version_id)
        rows = store.of_version(version_id)
        self._scheduler.known.remember(version_id, rows, self._clock())
        gone = remembered.instance_id if remembered is not None else None
        instance = min(filter(is_ready, rows), key=lambda row: row.instance_id == gone, default=None)
        if instance is None:
            text = "the app is asleep; open its page in a browser to start it\n"
            return Answer.text(503, text, {"retry-after": _RETRY_AFTER})
        return self._ask(request, app, rest, instance)

    def _ask(self, request: VisitorRequest, app: App, rest: str, instance: Instance, session_id: str = "") -> Answer:
        """Pass a request on to an agent, and its answer back."""
        return _passed_back(self._got(request, app, rest, instance, [("sheen-session", session_id)] if session_id else []))

    def _got(self, request: VisitorRequest, app: App, rest: str, instance: Instance, more: list[tuple[str, str]]) -> AgentAnswer:
        """What the agent answers to a visitor's request, which has ``more`` headers of ours."""
        headers = [
            *(header for header in passed_on(request.headers) if header[0] != "host"),
            ("host", request.host),
            ("sheen-base", request.base + app.location.rstrip("/")),
            ("sheen-largest", str(LARGEST_ANSWER)),
            ("sheen-address", request.address),
            *more,
        ]
        if rest.startswith(SOCKJS):
            headers.append(("sheen-buffered", "1"))  # FACTS H2
        target = f"/app{rest}?{request.query_string}" if request.query else f"/app{rest}"
        self._binding.ensure(instance)
        if request.method == "HEAD":  # the gateway counts the body's bytes by itself, and sends none of them
            return self._agents.request(Agent.of(instance), "GET", target, [*headers, ("sheen-head", "1")], request.body)
        return self._agents.request(Agent.of(instance), request.method, target, headers, request.body)


def _version_id(app: App) -> str:
    assert app.active_version is not None
    return str(VersionId(app.app_id, app.active_version))


def _public(request: VisitorRequest) -> str:
    """The URL of this request, for trying again."""
    return request.base + request.path + (f"?{request.query_string}" if request.query else "")


def _passed_back(got: AgentAnswer) -> Answer:
    if len(got.body) > LARGEST_ANSWER:
        message = f"The app's answer has {len(got.body):,} bytes; {LARGEST_ANSWER:,} are allowed on this way."
        return Answer.page(pages.error("The answer is too large", message, status=502))
    return Answer(got.status if got.status >= 200 else 502, passed_on(got.headers), got.body)
