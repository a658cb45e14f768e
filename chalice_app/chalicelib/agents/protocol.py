"""What a Lambda and an agent say to each other: routes, headers, bodies and refusals.

Neither a visitor nor an app can send one of these headers (:mod:`chalicelib.headers`).
"""

import base64
import json
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

PORT = 8080
"""The agent's port; ``workers/agent/health.py`` has a copy."""

APP = "/app"
"""Begins the path of a visitor's request; the app's own path follows."""
CONNECTIONS = "/connections/"
"""Followed by a connection's id: POST brings a frame, DELETE says that the connection has ended."""
WATCH = "/watch"
"""Brings the task token that the agent answers when its instance is idle."""
BIND = "/bind"
"""Tells a spare which app it serves from now on."""
RESTART = "/restart"
"""New sessions get new workers."""
SUPERSEDE = "/supersede"
"""As :data:`RETIRE`, and the open sessions end: too many old versions are still running."""
RETIRE = "/retire"
"""The instance takes no new session, and ends after the last one."""
SIGN_OUT = "/sign-out"
"""Ends the sessions of logins that have ended: a list of their ids, as JSON."""
HEALTH = "/health"
"""Says whether R is sound, even without a key; ``workers/agent/health.py`` has a copy."""
STATUS = "/status"
"""Says which workers and sessions the instance has."""

AGENT_KEY = "sheen-agent-key"
"""Proves that the caller is a function of the deployment."""
INSTANCE = "sheen-instance"
"""The id of the instance that the caller means; another one refuses the request."""
SESSION = "sheen-session"
"""The session that a page or a frame belongs to."""
BASE = "sheen-base"
"""The app's public path without a slash at its end."""
LARGEST = "sheen-largest"
"""Most bytes that the caller can take as an answer; any number without it."""
ADDRESS = "sheen-address"
"""The visitor's address, as the gateway saw it."""
NETWORK = "sheen-network"
"""A name for the visitor's network (:func:`chalicelib.visits.address.tag`)."""
ABOVE = "sheen-above"
"""The number of the change that brought the layers in the instance's row.

If it is greater than that of the layers that the agent knows, the agent reads the row again.
"""
PAGE = "sheen-page"
"""The token of a page that the agent keeps for the visitor."""
DRAFT = "sheen-draft"
"""Asks that Sheen's own pages come as drafts, and says that an answer is one.

The caller makes HTML of it by an operator's templates.
"""
HEAD = "sheen-head"
"""The visitor asked by HEAD, and the Lambda asks by GET.

API Gateway counts a body's bytes itself, and sends none of them.
"""
BUFFERED = "sheen-buffered"
"""Whatever is streamed ends early: a Lambda passes on whole answers only (FACTS H2)."""
REFUSED = "sheen-refused"
"""Distinguishes the agent's own refusal from an app's answer with the same status."""


LOGIN = "sheen-login"
"""The id of the visitor's login (:mod:`chalicelib.identity.logins`); none if not signed in."""
USER = "sheen-user"
"""Who the visitor is: JSON as base64, in as many headers as it takes (:func:`user_headers`)."""
_LARGEST_HEADER = 6000
"""Bytes of one header; the agent's server takes 8,190."""


def user_headers(login_id: str, name: str, groups: Iterable[str]) -> list[tuple[str, str]]:
    """Return the headers that say who the visitor is, however many groups they are in."""
    text = base64.b64encode(json.dumps([name, *groups]).encode()).decode("ascii")
    parts = [text[at : at + _LARGEST_HEADER] for at in range(0, len(text), _LARGEST_HEADER)]
    return [(LOGIN, login_id), *((USER, part) for part in parts)]


def user_of(parts: Iterable[str]) -> tuple[str, list[str]] | None:
    """Return name and groups from the values of :data:`USER`; None for nobody."""
    text = "".join(parts)
    if not text:
        return None
    name, *groups = json.loads(base64.b64decode(text))
    return name, groups


class Watch(NamedTuple):
    """The body of :data:`WATCH`."""

    token: str
    order: int = 0
    """How many tokens came before; a function that is older than the agent sends none."""

    def encoded(self) -> bytes:
        """Return the body's bytes."""
        return json.dumps({"token": self.token, "order": self.order}).encode()

    @classmethod
    def parse(cls, body: bytes) -> "Watch":
        """Read a body; raise :class:`ValueError`, which says what it must be."""
        match _object(body):
            case {"token": str(token), **more} if token:
                order = more.get("order", 0)
                if isinstance(order, int):
                    return cls(token, order)
        raise ValueError('the body must be {"token": "<task token>", "order": <whole number>}')


class Bind(NamedTuple):
    """The body of :data:`BIND`."""

    instance: str

    def encoded(self) -> bytes:
        """Return the body's bytes."""
        return json.dumps({"instance": self.instance}).encode()

    @classmethod
    def parse(cls, body: bytes) -> "Bind":
        """Read a body; raise :class:`ValueError`, which says what it must be."""
        match _object(body):
            case {"instance": str(instance)}:
                return cls(instance)
        raise ValueError('the body must be {"instance": "<app_id>.<version>/<slot>/<instance_id>"}')


def _object(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


class Refusal(Enum):
    """Why the agent itself refuses a request: a status, and what :data:`REFUSED` says."""

    OTHER_INSTANCE = 410, "this is the agent of another instance"
    RETIRED = 410, "this instance is retired"
    WRONG_KEY = 403, "the agent key is wrong"
    NO_SESSION = 404, "there is no such session"
    NO_PAGE = 404, "no such page is kept"
    LATER_TOKEN = 409, "there is a later token"
    SPARE = 409, "this instance is a spare, and bound to no app"
    CANNOT_BIND = 409, "this instance cannot be bound to that app"
    CANNOT_RESTART = 409, "the app cannot be restarted"
    FAILED = 500, "the agent failed; its log says why"

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self.value[0]

    @property
    def text(self) -> str:
        """What the header and the body say."""
        return self.value[1]


GONE = frozenset(
    refusal.status for refusal in (Refusal.OTHER_INSTANCE, Refusal.RETIRED, Refusal.WRONG_KEY)
)
"""Statuses of a refusal after which the caller must read the instance's row again."""
NOT_THE_AGENT = GONE | {404}
"""The same for an order; if there is no such route, what answers is no agent at all."""


def refused(headers: Iterable[tuple[str, str]]) -> str | None:
    """Return why the agent itself refuses; None for any other answer."""
    return next((value for name, value in headers if name.lower() == REFUSED), None)
