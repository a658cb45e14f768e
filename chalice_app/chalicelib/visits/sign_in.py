"""The pages that sign visitors in and out: ``…/__login__`` and ``…/__logout__``."""

import secrets
from collections.abc import Callable
from urllib.parse import parse_qs

from chalicelib import pages, telemetry
from chalicelib.agents.client import AgentClient
from chalicelib.aws.tables import read_together
from chalicelib.identity import (
    attempts,
    destinations,
    login_cookie,
    logins,
    passwords,
    same_site,
    signing_in,
)
from chalicelib.identity.destinations import LOGIN, LOGOUT
from chalicelib.identity.users import flat_id
from chalicelib.lives import sign_outs
from chalicelib.visits.address import network
from chalicelib.visits.answer import Answer
from chalicelib.visits.asker import Logins
from chalicelib.visits.request import VisitorRequest

_LARGEST_FORM = 16 * 1024
_WRONG = "That user name and password do not belong together."
_ANEW = "This form is too old, or it was sent from another page. Please try again."
_FORM_TOKEN = 32


class SignIn:
    """Signs visitors in and out."""

    def __init__(
        self, known: Logins, agents: AgentClient, clock: Callable[[], float], edge_proof: str
    ) -> None:
        self._known = known
        self._agents = agents
        self._clock = clock
        self._edge_proof = edge_proof

    def answer(self, request: VisitorRequest) -> Answer | None:
        """Answer a request for one of these pages; return None for any other request."""
        path = request.path.rstrip("/")
        if path not in (LOGIN, LOGOUT):
            return None
        asker = self._known.asker(request)
        if wanted := asker.wanted(self._clock()):
            asker.take(read_together(wanted), self._clock())
        request = request._replace(user=asker.user)
        match request.method, path:
            case (("GET" | "HEAD"), _) if not same_site.is_navigation(
                request.header("sec-fetch-mode"), request.header("sec-fetch-dest")
            ):
                return Answer.text(403, "this page is for people, in a window of its own\n")
            case (("GET" | "HEAD"), destinations.LOGIN):
                return self._form(request)
            case "POST", destinations.LOGIN:
                return self._sign_in(request)
            case (("GET" | "HEAD"), _):
                return self._ask_to_sign_out(request)
            case "POST", _:
                return self._sign_out(request)
        return Answer.text(405, "this page takes GET and POST\n", {"allow": "GET, HEAD, POST"})

    def _form(
        self, request: VisitorRequest, *, problem: str = "", status: int = 200, then: str = ""
    ) -> Answer:
        """Return the form, with a token of its own unless the browser has one already."""
        wanted = then or request.parameter("next") or ""
        user = request.user.visitor.name if request.user is not None else ""
        token, cookie = _token(request)
        page = pages.sign_in(
            pages.Form(request.base + LOGIN, token),
            destinations.safe(wanted, request.base),
            name=_fields(request).get("name", "") if problem else "",
            problem=problem,
            user=user,
            status=status,
        )
        return _with(Answer.page(page), *cookie)

    def _sign_in(self, request: VisitorRequest) -> Answer:
        fields = _fields(request)
        then = destinations.safe(fields.get("next", ""), request.base)
        if not _is_own(request, fields):
            return self._form(request, problem=_ANEW, status=403, then=then)
        name, password = fields.get("name", "").strip(), fields.get("password", "")
        if not name or not password or len(name) > 128 or passwords.is_too_long(password):
            return self._form(request, problem=_WRONG, status=401, then=then)
        counted = attempts.count(flat_id(name), network(request, self._edge_proof), self._clock())
        if isinstance(counted, attempts.TooMany):
            minutes = counted.seconds // 60 + 1
            again = "in a minute" if minutes == 1 else f"in {minutes} minutes"
            answer = self._form(
                request,
                problem=f"There were too many attempts. Try again {again}.",
                status=429,
                then=then,
            )
            return _with(answer, ("retry-after", str(counted.seconds)))
        value = secrets.token_urlsafe(32)
        right = signing_in.ask(name, password, login_cookie.login_id(value), self._clock)
        if right is None:
            counted.take_back()
            late = "Signing in takes too long at the moment. Please try again."
            return self._form(request, problem=late, status=503, then=then)
        if not right:
            return self._form(request, problem=_WRONG, status=401, then=then)
        counted.take_back()
        if request.user is not None:  # another user's, or an older login of the same one
            self._end([request.user.login_id])
        cookie = login_cookie.set_login(value, secure=request.secure)
        return _with(Answer.redirect(then, 303), ("set-cookie", cookie))

    def _ask_to_sign_out(self, request: VisitorRequest) -> Answer:
        if request.user is None:
            return self._signed_out(request, "Nobody is signed in in this browser.")
        token, cookie = _token(request)
        page = pages.sign_out(pages.Form(request.base + LOGOUT, token), request.user.visitor.name)
        return _with(Answer.page(page), *cookie)

    def _sign_out(self, request: VisitorRequest) -> Answer:
        fields = _fields(request)
        if request.user is None:
            return self._signed_out(request, "Nobody is signed in in this browser.")
        if not _is_own(request, fields):
            return self._ask_to_sign_out(request)._replace(status=403)
        ended = [request.user.login_id]
        if fields.get("where") == "everywhere":
            ended = list({*ended, *logins.of_user(request.user.user_id)})
        self._end(ended)
        telemetry.logger.info("signed out", extra={"logins": len(ended)})
        where = "in all browsers" if len(ended) > 1 else "in this browser"
        return self._signed_out(request, f"Your apps have ended {where}.")

    def _signed_out(self, request: VisitorRequest, message: str) -> Answer:
        page = pages.signed_out(message, request.base + LOGIN, request.base + "/")
        cookie = login_cookie.clear_login(secure=request.secure)
        return _with(Answer.page(page), ("set-cookie", cookie))

    def _end(self, login_ids: list[str]) -> None:
        """End logins, first their rows and then their sessions."""
        for login_id in login_ids:
            logins.end(login_id)
        self._known.forget(login_ids)
        sign_outs.tell(login_ids, self._agents)


def _fields(request: VisitorRequest) -> dict[str, str]:
    """Return the fields of a form; of a field that is there twice, the first."""
    kind = request.header("content-type").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded" or len(request.body) > _LARGEST_FORM:
        return {}
    try:
        found = parse_qs(
            request.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=20
        )
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def _is_own(request: VisitorRequest, fields: dict[str, str]) -> bool:
    return same_site.is_own_form(
        request.every("sec-fetch-site"),
        request.every("origin"),
        request.host,
        fields.get("token", ""),
        login_cookie.forms_in(request.cookies, secure=request.secure),
    )


def _token(request: VisitorRequest) -> tuple[str, list[tuple[str, str]]]:
    """Return a form's token, and the header that sets its cookie unless the browser has it.

    All tabs of a browser share a token, so that each tab's form works.
    """
    known = login_cookie.forms_in(request.cookies, secure=request.secure)
    if len(known) == 1 and len(known[0]) >= same_site.SHORTEST_TOKEN:
        return known[0], []
    token = secrets.token_urlsafe(_FORM_TOKEN)
    return token, [("set-cookie", login_cookie.set_form(token, secure=request.secure))]


def _with(answer: Answer, *headers: tuple[str, str]) -> Answer:
    return answer._replace(headers=(*answer.headers, *headers))
