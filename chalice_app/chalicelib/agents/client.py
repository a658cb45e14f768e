"""The kept-alive HTTP client of agents.

An environment sends one request at a time, as Lambda does (FACTS H3), so one connection per agent
is enough.

A task that vanishes with its network interface says nothing: no FIN, no RST, no answer to any
packet. So the kernel watches each connection (:data:`VANISHED_AFTER`). A connection that was unused
for a while is replaced, because the environment was frozen meanwhile: the connection may have
missed the FIN, and the network may have forgotten it.

A request that is not repeatable reaches the agent at most once. A repeatable request may reach it
twice, both times with the same bytes.
"""

import errno
import http.client
import re
import select
import socket
import time
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from chalicelib.agents import protocol
from chalicelib.agents.errors import AgentGone, AgentSilent
from chalicelib.clock import Clock, wall_clock
from chalicelib.instances.model import Instance
from chalicelib.instances.secret import Purpose, key_for

TIMEOUT = 28.0
"""Seconds to wait for an answer.

This is one second less than the gateway waits (FACTS H1, W6), so that the visitor gets one of
Sheen's pages.
"""
CONNECT_TIMEOUT = 3.0
"""Seconds to wait for a connection within the VPC. An unused address does not answer at all."""
VANISHED_AFTER = 3.0
"""Seconds without any sign of life from the agent's kernel after which its machine has vanished.

R may be busy for longer. Its machine acknowledges packets all the same, and the agent reads a
request whole at once.
"""
UNUSED = 60.0
"""Seconds by the wall clock after which an unused connection is replaced.

A monotonic clock may stand still while the environment is frozen.
"""
UNUSED_BEFORE_ONCE = 5.0
"""The same limit in seconds, before a request that must not be sent twice.

If the connection of such a request turned out to be dead, nobody would know whether the agent got
it.
"""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_MOST = 64
_CLOSED = (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected)
_VANISHED = frozenset(
    {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN}
)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))

Headers = Sequence[tuple[str, str]]


class Agent(NamedTuple):
    """How to reach an agent."""

    address: str
    """``host:port``."""
    instance_id: str
    key: str
    """The instance's key for its agent."""

    @classmethod
    def of(cls, instance: Instance, address: str | None = None) -> "Agent":
        """Return the agent of an instance; raise :class:`AgentGone` if it has no address."""
        at = address or instance.address
        if not at:
            raise AgentGone(f"instance {instance.ref} has no address: it is {instance.state}")
        return cls(at, instance.instance_id, key_for(instance.secret, Purpose.AGENT))


class AgentAnswer(NamedTuple):
    """The agent's answer, read whole (FACTS H2)."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class _Request(NamedTuple):
    agent: Agent
    method: str
    target: str
    headers: Headers
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.target[:80]}"


class _Kept(NamedTuple):
    connection: http.client.HTTPConnection
    used_at: float
    """By the wall clock."""


class _Lost(Exception):
    """The connection ended before the answer. The agent may have got the request."""

    def __init__(self, *, vanished: bool) -> None:
        super().__init__()
        self.vanished = vanished
        """Whether the agent's machine fell silent; otherwise the agent closed the connection."""


class AgentClient:
    """Sends requests to agents, on one kept-alive connection each."""

    def __init__(self, timeout: float = TIMEOUT, clock: Clock = wall_clock) -> None:
        self._timeout = timeout
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def request(
        self,
        agent: Agent,
        method: str,
        target: str,
        headers: Headers = (),
        body: bytes = b"",
        *,
        repeatable: bool | None = None,
        timeout: float | None = None,
    ) -> AgentAnswer:
        """Send one request and read the whole answer.

        A connection that the agent closed while this environment slept is noticed before it is
        used. If the connection breaks only later, or the machine at its other end vanishes, the
        request is sent once more on a new connection, provided that this is safe: by its method, or
        because ``repeatable`` says so.

        Raise :class:`AgentGone` if no agent is there, or if the agent belongs to another instance.
        Raise :class:`AgentSilent` if there is no answer in time, or if nobody knows whether the
        agent got a request that must not be sent twice.
        """
        once = not (method in _SAFE if repeatable is None else repeatable)
        sent = [*headers, (protocol.AGENT_KEY, agent.key), (protocol.INSTANCE, agent.instance_id)]
        request = _Request(agent, method, target, sent, body)
        limit, began = timeout or self._timeout, time.monotonic()
        connection, reused = self._connection(agent.address, UNUSED_BEFORE_ONCE if once else UNUSED)
        try:
            answer = self._exchange(connection, request, limit)
        except _Lost as lost:
            if once or not (reused or lost.vanished):
                raise AgentSilent(
                    f"agent {agent.address} broke off before it answered {request}"
                ) from lost
            left = max(limit - (time.monotonic() - began), CONNECT_TIMEOUT)
            answer = self._again(request, left)
        _check_refusal(agent, answer)
        return answer

    def _again(self, request: _Request, limit: float) -> AgentAnswer:
        connection, _ = self._connection(request.agent.address, 0)
        try:
            return self._exchange(connection, request, limit)
        except _Lost as lost:
            raise AgentGone(f"agent {request.agent.address} breaks every connection off") from lost

    def _exchange(
        self, connection: http.client.HTTPConnection, request: _Request, limit: float
    ) -> AgentAnswer:
        """Send the request and read the answer.

        The connection is kept only after a whole answer that allows it. Whatever is raised, no
        later request meets a connection that still owes an answer.
        """
        address = request.agent.address
        try:
            _connect(connection, address)
            connection.sock.settimeout(limit)
            _send(connection, request)
            response = connection.getresponse()
            answer = AgentAnswer(response.status, response.getheaders(), response.read())
        except _CLOSED as error:
            self._drop(address)
            raise _Lost(vanished=False) from error
        except (OSError, http.client.HTTPException) as error:
            self._drop(address)
            if isinstance(error, OSError) and error.errno in _VANISHED:
                raise _Lost(vanished=True) from error
            if isinstance(error, TimeoutError):
                raise AgentSilent(
                    f"agent {address} did not answer {request} within {limit:g} s"
                ) from error
            raise AgentSilent(
                f"agent {address} answered {request} with nonsense: {error!r}"
            ) from error
        except BaseException:
            self._drop(address)
            raise
        if response.will_close:
            self._drop(address)
        else:
            self._kept[address] = _Kept(connection, self._clock())
        return answer

    def _connection(self, address: str, unused: float) -> tuple[http.client.HTTPConnection, bool]:
        """Return the connection to an agent, and whether it was used before.

        A used connection was last used less than ``unused`` seconds ago and looks alive.
        """
        known = self._kept.get(address)
        if known is not None:
            # No answer is due, so readable data means that the agent closed the connection. After
            # the clock was set back, the age is unknown.
            recently = 0 <= self._clock() - known.used_at < unused
            if (
                recently
                and known.connection.sock is not None
                and not select.select([known.connection.sock], [], [], 0)[0]
            ):
                return known.connection, True
            self._drop(address)
        if len(self._kept) >= _MOST:
            self._drop(next(iter(self._kept)))
        host, _, port = address.rpartition(":")
        fresh = http.client.HTTPConnection(host, int(port), timeout=CONNECT_TIMEOUT)
        self._kept[address] = _Kept(fresh, self._clock())
        return fresh, False

    def _drop(self, address: str) -> None:
        known = self._kept.pop(address, None)
        if known is not None:
            known.connection.close()


def _connect(connection: http.client.HTTPConnection, address: str) -> None:
    """Connect unless connected already; raise :class:`AgentGone` if nobody answers."""
    if connection.sock is not None:
        return
    try:
        connection.connect()
    except OSError as error:
        raise AgentGone(f"nobody answers at agent {address}: {error}") from error
    assert connection.sock is not None
    # Data that stays unacknowledged for this time ends the connection. While no data is under way,
    # a probe is sent each second, and unanswered probes end it.
    for level, option, value in (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, int(VANISHED_AFTER)),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(VANISHED_AFTER * 1000)),
    ):
        connection.sock.setsockopt(level, option, value)


def _send(connection: http.client.HTTPConnection, request: _Request) -> None:
    target = quote(_encoded(request.target), safe=_PRINTABLE)
    connection.putrequest(
        request.method, target, skip_host=_has(request.headers, "host"), skip_accept_encoding=True
    )
    for name, value in request.headers:
        if _NAME.fullmatch(name):  # any other name is not a header name (RFC 9110, 5.1)
            connection.putheader(name, _CONTROLS.sub(b" ", _encoded(value)))
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        connection.putheader("content-length", str(len(request.body)))
    connection.endheaders(request.body or None)


def _encoded(text: str) -> bytes:
    """Return the bytes that the browser sent, from which the event's text was decoded.

    Text that was not decoded from bytes is encoded too; what has no UTF-8 form becomes "?".
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _has(headers: Headers, name: str) -> bool:
    return any(key.lower() == name for key, _ in headers)


def _check_refusal(agent: Agent, answer: AgentAnswer) -> None:
    refused = protocol.refused(answer.headers)
    if refused is not None and answer.status in protocol.GONE:
        raise AgentGone(
            f"agent {agent.address} is not that of instance {agent.instance_id}: "
            f"{answer.status} {refused}"
        )
