"""Handle the events of connections: check who may connect, and pass frames to the agent.

A warm frame costs one request to the agent on a kept-alive connection and nothing else. The
environment remembers the connection's agent, and an agent refuses frames that are not for it.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from chalicelib import telemetry
from chalicelib.agents import protocol
from chalicelib.agents.client import Agent, AgentClient
from chalicelib.agents.errors import AgentError, AgentGone
from chalicelib.instances import store as instances
from chalicelib.instances.model import InstanceRef
from chalicelib.instances.secret import Purpose, key_for
from chalicelib.instances.state import InstanceState
from chalicelib.sessions.connections import store
from chalicelib.sessions.connections.offer import PROTOCOL, ticket_in
from chalicelib.sessions.tickets import BadTicket, check

_MOST = 10_000


class _Route(NamedTuple):
    agent: Agent
    session_id: str


class Connections:
    """What one Lambda environment needs for WebSocket events and remembers between them."""

    def __init__(
        self,
        agents: AgentClient,
        clock: Callable[[], float],
        ending: Callable[[Mapping[str, Any]], None] = lambda context: None,
    ) -> None:
        """``ending`` takes the context of a connection that ends, while its row is there."""
        self._agents = agents
        self._clock = clock
        self._ending = ending
        self._routes: dict[str, _Route] = {}
        self._agent_of: dict[str, Agent] = {}

    def connect(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Handle ``$connect``: let in a browser that shows a valid ticket.

        The row records the session and the instance that the ticket is for.
        """
        connection_id = event["requestContext"]["connectionId"]
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        ticket = ticket_in(headers.get("sec-websocket-protocol", ""))
        try:
            if ticket is None:
                raise BadTicket("no ticket was shown; load the page again")
            passed = check(ticket, _ticket_key, self._clock())
        except BadTicket as error:
            telemetry.logger.info("refused a connection", extra={"why": str(error)})
            return {"statusCode": error.status, "body": str(error)}
        store.add(connection_id, passed.ref, passed.session_id, self._clock())
        telemetry.logger.info(
            "connected",
            extra={
                "instance": passed.ref.instance_id,
                "session": passed.session_id,
                "connection": connection_id,
            },
        )
        return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": PROTOCOL}}

    def message(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Handle ``$default``: pass one frame on.

        Raise :class:`AgentGone` if no agent takes it. The gateway then tells the browser, which
        loses its connection and learns on the next one that the session is over.
        """
        connection_id = event["requestContext"]["connectionId"]
        frame = (event.get("body") or "").encode()
        known = self._routes.get(connection_id)
        if known is not None:
            try:
                self._pass(connection_id, known, frame)
            except AgentGone:
                del self._routes[connection_id]
                self._agent_of.clear()
            else:
                return {"statusCode": 200}
        route = self._route(connection_id)
        if route is None:
            telemetry.logger.info(
                "a frame of a connection that is gone", extra={"connection": connection_id}
            )
            return {"statusCode": 200}
        try:
            self._pass(connection_id, route, frame)
        except AgentGone:
            self._agent_of.clear()
            raise
        if len(self._routes) >= _MOST:
            self._routes.clear()
        self._routes[connection_id] = route
        return {"statusCode": 200}

    def disconnect(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Handle ``$disconnect``: tell the agent, and forget the connection.

        The event may never come (FACTS W3).
        """
        connection_id = event["requestContext"]["connectionId"]
        try:
            route = self._routes.pop(connection_id, None) or self._route(connection_id)
            if route is not None:
                headers = [(protocol.SESSION, route.session_id)]
                self._agents.request(
                    route.agent,
                    "DELETE",
                    protocol.CONNECTIONS + quote(connection_id, safe=""),
                    headers,
                )
        except AgentError as error:
            telemetry.logger.info(
                "nobody to say goodbye to", extra={"connection": connection_id, "error": str(error)}
            )
        self._ending(event["requestContext"])
        store.remove(connection_id)
        return {"statusCode": 200}

    def _pass(self, connection_id: str, route: _Route, frame: bytes) -> None:
        headers = [
            (protocol.SESSION, route.session_id),
            ("content-type", "text/plain; charset=utf-8"),
        ]
        path = protocol.CONNECTIONS + quote(connection_id, safe="")
        # Sending a frame twice is safe. The relay numbers its messages and takes each once
        # (FACTS S6).
        answer = self._agents.request(route.agent, "POST", path, headers, frame, repeatable=True)
        if answer.status in protocol.GONE:
            raise AgentGone(
                f"agent {route.agent.address} is not that of instance {route.agent.instance_id}"
            )
        if answer.status >= 300 and answer.status != protocol.Refusal.NO_SESSION.status:
            telemetry.logger.warning(
                "the agent refused a frame",
                extra={
                    "connection": connection_id,
                    "session": route.session_id,
                    "status": answer.status,
                },
            )

    def _route(self, connection_id: str) -> _Route | None:
        """Look up the route of a connection's frames; return None if the connection is gone.

        Raise :class:`AgentGone` if the connection's instance has stopped.
        """
        row = store.find(connection_id)
        if row is None:
            return None
        agent = self._agent_of.get(row.instance)
        if agent is None:
            ref = InstanceRef.parse(row.instance)
            instance = instances.get(ref)
            if instance is None or instance.state == InstanceState.STOPPED:
                raise AgentGone(f"instance {ref} of connection {connection_id} has stopped")
            if len(self._agent_of) >= _MOST:
                self._agent_of.clear()
            # Its address and its key never change, and an agent refuses frames that are not for it.
            agent = self._agent_of[row.instance] = Agent.of(instance)
        return _Route(agent, row.session_id)


def _ticket_key(ref: InstanceRef) -> str | None:
    instance = instances.get(ref)
    if instance is None or instance.state != InstanceState.READY:
        return None
    return key_for(instance.secret, Purpose.TICKET)
