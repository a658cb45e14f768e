"""Carrying out a visitor's request: location → seat → agent → answer."""

import contextlib
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, NamedTuple, TypeVar, assert_never

from chalicelib import headers, pages, telemetry
from chalicelib.agents import protocol
from chalicelib.agents.binding import Binding
from chalicelib.agents.client import TIMEOUT, Agent, AgentAnswer, AgentClient
from chalicelib.agents.errors import AgentGone, AgentSilent
from chalicelib.applying.current import Current
from chalicelib.apps.directory import AppAtPath, Directory, NothingAtPath, RedirectAtPath
from chalicelib.apps.locations import ROOT, climbs
from chalicelib.apps.model import App
from chalicelib.bodies.pages import kept_page
from chalicelib.configuration.above import Above
from chalicelib.configuration.limits import LARGEST_ANSWER
from chalicelib.errors import SheenError
from chalicelib.instances import store
from chalicelib.instances.lease import new_session_id
from chalicelib.instances.model import Instance, VersionId
from chalicelib.instances.worker_id import WorkerId
from chalicelib.pages import Templates
from chalicelib.scheduler.seating import (
    DeploymentFull,
    NoRoom,
    Queued,
    Scheduler,
    Seated,
    Starting,
    is_ready,
)
from chalicelib.visits import door, health, overview, waiting
from chalicelib.visits.added import framed, with_headers
from chalicelib.visits.address import address, site_host, tag
from chalicelib.visits.answer import Answer
from chalicelib.visits.asker import Logins
from chalicelib.visits.callers import ROBOTS, ROBOTS_TEXT, Caller, caller, is_program
from chalicelib.visits.health import Load
from chalicelib.visits.holding import Holding, later
from chalicelib.visits.logging_visits import AccessLogs
from chalicelib.visits.placed import Answered
from chalicelib.visits.request import VisitorRequest
from chalicelib.visits.routing import (
    NO_PAGES,
    SOCKJS,
    Asset,
    Navigation,
    QueueStatusRequest,
    SlashRedirect,
    StartStatusRequest,
    ToWorker,
    destination,
    redirected,
    takes_over,
    wants_page,
)
from chalicelib.visits.sign_in import SignIn

if TYPE_CHECKING:
    from chalicelib.visits.by_configuration import ByConfiguration

_MOST_GONE = 2
"""Gone instances that a page's request tolerates; each may take three seconds to detect.

If one more is gone, the request fails.
"""


_T = TypeVar("_T")


class _Gone(NamedTuple):
    """The instance on which a page's request took a seat, whose agent turned out to be gone."""

    instance_id: str


class Visits:
    """Carries out visitors' requests; one object lives as long as its Lambda environment."""

    def __init__(
        self,
        agents: AgentClient,
        clock: Callable[[], float],
        configuration: Current,
        spares: Collection[str] = (),
        most_instances: int = 0,
        most_held: int = 0,
        edge_proof: str = "",
        by_configuration: "Callable[[], ByConfiguration] | None" = None,
        load: Callable[[], Load] = Load,
        access_logs: AccessLogs | None = None,
    ) -> None:
        """Set up the parts that requests need.

        The pointer of ``configuration`` is read with a page's locations; ``by_configuration``
        returns what carries it out, made when there is one. ``spares`` and
        ``most_instances`` are as :class:`Scheduler` takes them, ``most_held`` as :class:`Holding`
        does, and ``edge_proof`` as :func:`chalicelib.visits.address.network` does. ``load`` returns
        how busy the machine is on which everything runs. ``access_logs`` get a line for each
        request.
        """
        self._access_logs = access_logs
        self._edge_proof = edge_proof
        self._agents = agents
        self._clock = clock
        self._configuration = configuration
        self._by_configuration = by_configuration
        self._directory = Directory(configuration)
        self._logins = Logins(clock)
        self._sign_in = SignIn(self._logins, agents, clock, edge_proof)
        self._overview = overview.Overview(clock, load)
        self._binding = Binding(agents, clock)
        self._scheduler = Scheduler(clock, spares, most_instances)
        self._holding = Holding(self._scheduler, clock, most_held)

    def answer(self, request: VisitorRequest) -> Answer:
        """Answer any request; after a failure, a page gives the cause and the way out."""
        with telemetry.about(request_id=request.request_id):
            began = self._clock()
            answer = _or_failure(request, lambda: self._answer(request))
            if self._access_logs is not None:
                self._access_logs.answered(request, answer, began)
            return answer

    def _answer(self, request: VisitorRequest) -> Answer:
        """Answer a request; try another instance when a page's turns out to be gone."""
        if (named := health.variant(request.path)) is not None:
            applied = self._configuration.get(self._clock())
            return self._overview.health_check(named, applied.health_checks if applied else {})
        if takes_over(request):
            return Answer.text(
                403,
                "a service worker here would answer for every app; put its script into a "
                "folder of the app\n",
            )
        signing = self._sign_in.answer(request)
        if signing is not None:
            return signing
        gone: frozenset[str] = frozenset()
        while isinstance(answer := self._try(request, gone), _Gone):
            gone |= {answer.instance_id}
        return answer

    def _try(self, request: VisitorRequest, gone: frozenset[str]) -> Answer | _Gone:
        """Find the app and answer, or return the instance that is gone besides ``gone``.

        Each try asks the directory: an instance may be gone because another version is active now.
        """
        host = site_host(request, self._edge_proof)
        asker = self._logins.asker(request)
        found = self._directory.find(
            request.path, self._clock(), host=host, page=wants_page(request), asker=asker
        )
        request = request._replace(user=asker.user)
        templates: Templates | None = None
        applied = self._configuration.get(self._clock())
        number = self._configuration.number
        if applied is not None and self._by_configuration is not None:
            placed = self._by_configuration().find(applied, request, host, found, number)
            if isinstance(placed, Answered):
                return with_headers(placed.answer, placed.settings)
            found, templates = placed
        elif isinstance(found, AppAtPath) and number:
            found = found.under(Above(number=number))
        if isinstance(found, AppAtPath) and not asker.may_know(found.app, found.readable_settings):
            found = NothingAtPath(found.location.site)
        if climbs(request.path):
            return Answer.text(400, "a path with . or .. in it is not allowed\n")
        if not isinstance(found, AppAtPath):
            return with_headers(self._without_app(request, found), self._directory.elsewhere)
        with telemetry.about(app=found.app.name):
            if (refusal := door.refusal(request, found)) is not None:
                return refusal
            if wants_page(request):
                asker.use()
            answer = _or_failure(request, lambda: self._of_app(request, found, gone))
            settings = found.readable_settings
            if isinstance(answer, _Gone):
                return answer
            shown = answer.by(templates)
            return with_headers(shown, settings) if settings is not None else shown

    def _without_app(
        self, request: VisitorRequest, found: RedirectAtPath | NothingAtPath
    ) -> Answer:
        """Answer a request for a path that no app owns."""
        if request.path == ROBOTS:
            return self._robots(request, None)
        if isinstance(found, RedirectAtPath):
            return Answer.redirect(redirected(request, found.target), found.target.status)
        if request.path == health.PING:
            return Answer.text(200, "OK")
        if request.path == ROOT:
            return self._overview.index(request, found.site)
        sign_in = None if request.user is not None else door.sign_in_url(request)
        return Answer.page(pages.not_found(request.path, request.base + "/", sign_in))

    def _of_app(
        self, request: VisitorRequest, found: AppAtPath, gone: frozenset[str]
    ) -> Answer | _Gone:
        """Answer a request for an app's path."""
        app = found.app
        at = found.location
        if request.path == ROBOTS and at.path == ROOT:
            return self._robots(request, found)
        new = app.places.on(at.site).path if found.moved else None
        where = destination(request, at.path, found.rest, moved_to=new)
        match where:
            case SlashRedirect(to):
                return Answer.redirect(to)
            case StartStatusRequest(instance_id):
                return waiting.start_status(
                    found, instance_id, store.of_version(_version_id(app)), self._clock()
                )
            case QueueStatusRequest(place):
                return waiting.queue_status(
                    self._scheduler.standing(_version_id(app), found.settings, place)
                )
            case Navigation():
                kept = self._kept_page(request, found) if not gone else None
                page = kept or self._navigate(request, found, gone)
                if kept is not None or isinstance(page, _Gone):
                    return page
                return waiting.without_page(request, found, page)
            case ToWorker(worker):
                return self._to_worker(request, found, worker)
            case Asset():
                return self._asset(request, found)
            case _:
                assert_never(where)

    def _navigate(
        self, request: VisitorRequest, found: AppAtPath, gone: frozenset[str]
    ) -> Answer | _Gone:
        """Take a seat and let the app answer with a page, or say what the visitor waits for.

        Raise :class:`AgentGone` if too many instances are ``gone``.
        """
        match caller(request):
            case Caller.PREFETCH:
                return later("the app starts when somebody opens it, not before")
            case Caller.CRAWLER:
                return Answer.page(pages.about(overview.title_of(found)))
        app = found.app
        version_id = _version_id(app)
        place = waiting.place_of(request)
        session_id = new_session_id()
        address = tag(request, self._edge_proof)
        outcome = self._scheduler.seat(
            version_id, app.name, found.settings, session_id, place, gone, address, found.above
        )
        telemetry.count(type(outcome).__name__)
        match outcome:
            case Seated(instance):
                with telemetry.about(instance=instance.instance_id, session=session_id):
                    try:
                        answer = self._ask(request, found, instance, session_id)
                        return (
                            answer
                            if place is None
                            else waiting.without_place(request, found, answer)
                        )
                    except AgentGone:
                        self._scheduler.known.lose(version_id, instance.instance_id, self._clock())
                        # It may have retired because another version has become active.
                        self._directory.forget()
                        store.give_back(instance.ref, session_id)
                        if instance.instance_id in gone or len(gone) == _MOST_GONE:
                            raise
                        return _Gone(instance.instance_id)
            case Starting(instance, claimed):
                telemetry.logger.info(
                    "waits", extra={"instance": instance.instance_id, "claimed": claimed}
                )
                return waiting.for_a_start(request, found, instance, self._clock())
            case Queued(taken, standing):
                return waiting.for_a_seat(request, found, taken, standing)
            case DeploymentFull():
                return Answer.page(pages.no_machine(overview.title_of(found)))
            case NoRoom():
                return Answer.page(pages.users(overview.title_of(found)))
            case _:
                assert_never(outcome)

    def _kept_page(self, request: VisitorRequest, found: AppAtPath) -> Answer | None:
        """Return the page that an agent has kept for the visitor; None if there is none any more.

        Such a visitor got the page of a busy app before.
        """
        kept = kept_page(request.cookies)
        if kept is None:
            return None
        version_id = str(VersionId(found.app.app_id, kept.worker.version))
        instance = self._scheduler.known.in_slot(version_id, kept.worker.slot) or store.in_slot(
            version_id, kept.worker.slot
        )
        if instance is None or not is_ready(instance):
            return None
        try:
            got = self._got(request, found, instance, [(protocol.PAGE, kept.token)])
        except AgentGone:
            self._scheduler.known.lose(version_id, instance.instance_id, self._clock())
            return None
        except AgentSilent:
            return None
        if protocol.refused(got.headers) is not None:
            return None
        return framed(_passed_back(got), found.readable_settings)

    def _to_worker(self, request: VisitorRequest, found: AppAtPath, worker: WorkerId) -> Answer:
        """Pass a request for one R process to its instance, even if another version is active."""
        version_id = str(VersionId(found.app.app_id, worker.version))
        remembered = self._scheduler.known.in_slot(version_id, worker.slot)
        if remembered is not None:
            try:
                return self._ask(request, found, remembered)
            except AgentGone:
                self._scheduler.known.lose(version_id, remembered.instance_id, self._clock())
        instance = store.in_slot(version_id, worker.slot)
        if instance is None or not is_ready(instance):
            return Answer.text(410, "this session's R process has ended; load the page again\n")
        self._scheduler.known.learn(version_id, instance)
        return self._ask(request, found, instance)

    def _robots(self, request: VisitorRequest, found: AppAtPath | None) -> Answer:
        """Return the rules for crawlers.

        If the app at the root is awake and has a ``robots.txt``, its file applies; otherwise
        crawlers may visit nothing.
        """
        if found is not None:
            instance = next(filter(is_ready, store.of_version(_version_id(found.app))), None)
            with contextlib.suppress(AgentGone, AgentSilent):
                answer = self._ask(request, found, instance) if instance is not None else None
                if answer is not None and answer.status == 200:
                    return answer
        return Answer.text(200, ROBOTS_TEXT)

    def _asset(self, request: VisitorRequest, found: AppAtPath) -> Answer:
        """Pass a request that needs no seat to any ready instance of the active version."""
        app = found.app
        version_id = _version_id(app)
        remembered = self._scheduler.known.any_of(version_id, self._clock())
        if remembered is not None:
            try:
                return self._ask(request, found, remembered)
            except AgentGone:
                self._scheduler.known.lose(version_id, remembered.instance_id, self._clock())
        rows = store.of_version(version_id)
        self._scheduler.known.remember(version_id, rows, self._clock())
        gone = self._scheduler.known.gone(self._clock())
        instance = min(
            filter(is_ready, rows), key=lambda row: row.instance_id in gone, default=None
        )
        if instance is not None:
            return self._ask(request, found, instance)
        if found.rest.startswith(NO_PAGES) or not is_program(request):
            return later("the app is asleep; open its page in a browser to start it")
        held = self._holding.ready(version_id, app.name, found.settings, found.above)
        if isinstance(held, Answer):
            return held
        instance, seconds = held
        try:
            return self._ask(request, found, instance, within=TIMEOUT - seconds)
        except AgentSilent:
            return later(
                "the app has started, and takes longer to answer than is left of this "
                "request; ask again"
            )

    def _ask(
        self,
        request: VisitorRequest,
        found: AppAtPath,
        instance: Instance,
        session_id: str = "",
        within: float | None = None,
    ) -> Answer:
        """Pass a request on to an agent, and pass back its answer.

        ``within`` is the number of seconds that it may take, if fewer than usual.
        """
        seat = (
            [(protocol.SESSION, session_id), (protocol.NETWORK, tag(request, self._edge_proof))]
            if session_id
            else []
        )
        found = found.with_app_file(instance.app_file or "")
        answer = _passed_back(self._got(request, found, instance, seat, within))
        # SockJS's own page is for a frame in the app's page.
        sockjs = found.rest.startswith(SOCKJS)
        return answer if sockjs else framed(answer, found.readable_settings)

    def _got(
        self,
        request: VisitorRequest,
        found: AppAtPath,
        instance: Instance,
        more: list[tuple[str, str]],
        within: float | None = None,
    ) -> AgentAnswer:
        """Return the agent's answer to a visitor's request; ``more`` are headers added by Sheen."""
        seen, settings = address(request, self._edge_proof), found.readable_settings
        sent = [
            *_from_visitor(request, seen, settings.whitelist_headers if settings else ()),
            (protocol.BASE, request.base + found.location.path.rstrip("/")),
            (protocol.LARGEST, str(LARGEST_ANSWER)),
            (protocol.ADDRESS, seen),
            (protocol.DRAFT, "1"),
            (protocol.ABOVE, str(int(instance.above_number or 0))),
            *more,
        ]
        if request.user is not None:
            who = request.user.visitor
            sent += protocol.user_headers(request.user.login_id, who.name, who.groups)
        if found.rest.startswith(SOCKJS):
            sent.append((protocol.BUFFERED, "1"))  # FACTS H2
        target = f"{protocol.APP}{found.rest}" + (
            f"?{request.query_string}" if request.query else ""
        )
        self._binding.ensure(instance)
        method = request.method
        if method == "HEAD":  # the gateway counts the bytes of the body itself, and sends none
            method = "GET"
            sent.append((protocol.HEAD, "1"))
        return self._agents.request(
            Agent.of(instance), method, target, sent, request.body, timeout=within
        )


def _or_failure(request: VisitorRequest, answer: Callable[[], _T]) -> _T | Answer:
    """Return what ``answer`` returns, or a page with the cause of its failure and the way out."""
    try:
        return answer()
    except AgentSilent as error:
        telemetry.logger.warning("the app did not answer", extra={"error": str(error)})
        title = "The app does not answer"
        message = "It may be busy with a long computation. Wait a moment, then try again."
        retry_url = _public(request)
        return Answer.page(pages.error(title, message, retry_url=retry_url, status=error.status))
    except AgentGone as error:
        telemetry.logger.warning("the app's machine is gone", extra={"error": str(error)})
        title = "The app's machine is gone"
        message = "It has just stopped, or it cannot be reached. In a moment another one can be "
        message += "started."
        retry_url = _public(request)
        return Answer.page(pages.error(title, message, retry_url=retry_url, status=error.status))
    except SheenError as error:
        telemetry.logger.exception("refused")
        return Answer.page(pages.error("That did not work", str(error), status=error.status))
    except Exception:
        telemetry.logger.exception("failed")
        message = f"Sheen could not answer. Tell whoever runs it this number: {request.request_id}."
        return Answer.page(pages.error("Something broke", message, retry_url=_public(request)))


def _version_id(app: App) -> str:
    assert app.active_version is not None
    return str(VersionId(app.app_id, app.active_version))


def _public(request: VisitorRequest) -> str:
    """Return the URL of this request, for a retry."""
    return request.base + request.path + (f"?{request.query_string}" if request.query else "")


def _from_visitor(
    request: VisitorRequest, seen: str, more: Collection[str]
) -> list[tuple[str, str]]:
    """Return the visitor's headers for the agent; ``more`` are names beside the usual ones.

    The address and the host are those that the gateway saw. The content length is left out, as it
    is computed anew.
    """
    passed = [
        (name, value)
        for name, value in headers.to_agent(request.headers, more)
        if name not in ("content-length", "host", "x-forwarded-for", "x-forwarded-host")
    ]
    return [*passed, ("host", headers.text(request.host)), ("x-forwarded-for", seen)]


def _passed_back(got: AgentAnswer) -> Answer:
    if len(got.body) > LARGEST_ANSWER:
        message = (
            f"The app's answer has {len(got.body):,} bytes; {LARGEST_ANSWER:,} are allowed on "
            "this way."
        )
        return Answer.page(pages.error("The answer is too large", message, status=502))
    told = headers.passing((name, headers.from_latin_1(value)) for name, value in got.headers)
    answer = Answer(
        got.status if got.status >= 200 else 502,
        tuple(pair for pair in told if pair[0].lower() != "content-length"),
        got.body,
    )
    if not any(name.lower() == protocol.DRAFT for name, _ in got.headers):
        return answer
    page = Answer.page(pages.make(answer.status, pages.Draft.parse(got.body)))
    ours = {name for name, _ in page.headers}
    kept = tuple(pair for pair in answer.headers if pair[0].lower() not in ours)
    return page._replace(headers=(*page.headers, *kept))
