"""The kept-alive HTTP client. One request at a time, as in Lambda (FACTS H3), so one connection per agent is enough."""

import http.client
import select
from collections.abc import Sequence
from typing import NamedTuple

from chalicelib.agents.errors import AgentGone, AgentSilent
from chalicelib.instances.model import Instance
from chalicelib.instances.secret import Purpose, key_for

TIMEOUT = 28.0
"""Seconds for an answer: one less than the gateway waits (FACTS H1, W6), so that the visitor gets a page of ours."""
CONNECT_TIMEOUT = 3.0
"""Seconds for a connection within the VPC; an address that nobody has does not answer at all."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_MOST = 64
REFUSAL = "sheen-refused"
"""The header by which an agent's own no is told from the same status of an app."""

Headers = Sequence[tuple[str, str]]


class Agent(NamedTuple):
    """How an agent is spoken to."""

    address: str
    """``host:port``."""
    instance_id: str
    key: str
    """The instance's key for its agent."""

    @classmethod
    def of(cls, instance: Instance, address: str | None = None) -> "Agent":
        """The agent of an instance; raise :class:`AgentGone` when it has no address."""
        at = address or instance.address
        if not at:
            raise AgentGone(f"instance {instance.ref} has no address: it is {instance.state}")
        return cls(at, instance.instance_id, key_for(instance.secret, Purpose.AGENT))


class AgentAnswer(NamedTuple):
    """What the agent answered, read whole (FACTS H2)."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class AgentClient:
    """Speaks to agents, on one kept-alive connection each."""

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._connections: dict[str, http.client.HTTPConnection] = {}

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

        A connection that the agent closed while this environment slept is noticed before it is used. If it breaks only then, the request is
        sent once more on a new one when that is safe: by its method, or when ``repeatable`` says so. Raise
        :class:`AgentGone` when nobody is there or the agent is another instance's, :class:`AgentSilent` when there is no answer in time.
        """
        known, reused = self._connection(agent.address)
        sent = [*headers, ("sheen-agent-key", agent.key), ("sheen-instance", agent.instance_id)]
        limit = timeout or self._timeout
        try:
            answer = self._exchange(known, agent, method, target, sent, body, limit)
        except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected) as error:
            self._drop(agent.address)
            if not reused or not (method in _SAFE if repeatable is None else repeatable):
                raise AgentSilent(f"agent {agent.address} broke off before it answered {method} {target[:80]}") from error
            known, _ = self._connection(agent.address)
            answer = self._again(known, agent, method, target, sent, body, limit)
        _check_refusal(agent, answer)
        return answer

    def _again(
        self, connection: http.client.HTTPConnection, agent: Agent, method: str, target: str, headers: Headers, body: bytes, limit: float
    ) -> AgentAnswer:
        try:
            return self._exchange(connection, agent, method, target, headers, body, limit)
        except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected) as error:
            self._drop(agent.address)
            raise AgentGone(f"agent {agent.address} breaks every connection off") from error

    def _exchange(
        self, connection: http.client.HTTPConnection, agent: Agent, method: str, target: str, headers: Headers, body: bytes, limit: float
    ) -> AgentAnswer:
        if connection.sock is None:
            connection.timeout = CONNECT_TIMEOUT
            try:
                connection.connect()
            except OSError as error:
                self._drop(agent.address)
                raise AgentGone(f"nobody answers at agent {agent.address}: {error}") from error
        connection.sock.settimeout(limit)
        try:
            connection.putrequest(method, target, skip_host=_has(headers, "host"), skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            if body or method in ("POST", "PUT", "PATCH"):
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body or None)
            response = connection.getresponse()
            answer = AgentAnswer(response.status, response.getheaders(), response.read())
        except TimeoutError as error:
            self._drop(agent.address)
            raise AgentSilent(f"agent {agent.address} did not answer {method} {target[:80]} within {limit:g} s") from error
        except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected):
            raise
        except (OSError, http.client.HTTPException) as error:
            self._drop(agent.address)
            raise AgentSilent(f"agent {agent.address} answered {method} {target[:80]} with nonsense: {error!r}") from error
        if response.will_close:
            self._drop(agent.address)
        return answer

    def _connection(self, address: str) -> tuple[http.client.HTTPConnection, bool]:
        """The connection to an agent, and whether it was used before and looks alive."""
        known = self._connections.get(address)
        if known is not None and known.sock is not None:
            # Nothing is owed to us: something to read means that the agent said goodbye.
            if not select.select([known.sock], [], [], 0)[0]:
                return known, True
            self._drop(address)
        if len(self._connections) >= _MOST:
            self._drop(next(iter(self._connections)))
        host, _, port = address.rpartition(":")
        fresh = http.client.HTTPConnection(host, int(port), timeout=CONNECT_TIMEOUT)
        self._connections[address] = fresh
        return fresh, False

    def _drop(self, address: str) -> None:
        known = self._connections.pop(address, None)
        if known is not None:
            known.close()


def _has(headers: Headers, name: str) -> bool:
    return any(key.lower() == name for key, _ in headers)


def _check_refusal(agent: Agent, answer: AgentAnswer) -> None:
    refused = next((value for name, value in answer.headers if name.lower() == REFUSAL), None)
    if refused is None:
        return
    if answer.status in (403, 410):
        raise AgentGone(f"agent {agent.address} is not that of instance {agent.instance_id}: {answer.status} {refused}")
