"""Lines of access logs, for each answered request and each connection that has ended.

A line goes to the function's own log as a JSON object of its own, because a function in the VPC
reaches no other log and every call would make the visitor wait::

    {"access_log": "/var/log/shiny-server/access.log", "configuration": "…", "line": "…"}
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from chalicelib import telemetry
from chalicelib.applying.current import Current
from chalicelib.configuration.access_log import Format, LogEntry
from chalicelib.errors import SheenError
from chalicelib.instances import store as instances
from chalicelib.instances.model import InstanceRef
from chalicelib.sessions.connections import store as connections
from chalicelib.visits.address import address
from chalicelib.visits.answer import Answer
from chalicelib.visits.request import VisitorRequest

if TYPE_CHECKING:
    from chalicelib.configuration.applied import Applied

_SECRET_HEADERS = ("authorization", "cookie", "set-cookie", "proxy-authorization")
_SESSION = re.compile(r"(/session/)[^/?#]+")
_OURS = re.compile(r"(/__(?:sheen|sockjs)__/)([^?#]*).*", re.DOTALL)


class _Log(NamedTuple):
    path: str
    format: Format


class AccessLogs:
    """The access logs of the configuration that holds; without one, nothing is written."""

    def __init__(
        self,
        configuration: Current,
        clock: Callable[[], float],
        edge_proof: str = "",
        write: Callable[[str], None] = print,
    ) -> None:
        """``edge_proof`` is as :func:`chalicelib.visits.address.address` takes it."""
        self._configuration = configuration
        self._clock = clock
        self._edge_proof = edge_proof
        self._write = write
        self._of = ""
        self._logs: list[_Log] = []

    def answered(self, request: VisitorRequest, answer: Answer, began: float) -> None:
        """Log a request whose answer was begun at ``began``."""
        if not (logs := self._held()):
            return
        now = self._clock()
        url = request.base + request.path
        entry = LogEntry(
            request.method,
            redacted(f"{url}?{request.query_string}" if request.query else url),
            answer.status,
            began=now,
            seconds=now - began,
            length=len(answer.body),
            address=address(request, self._edge_proof),
            request=_shown(dict(request.headers)),
            response=_shown({name.lower(): value for name, value in answer.headers}),
        )
        self._log(logs, entry)

    def disconnected(self, context: Mapping[str, Any]) -> None:
        """Log a connection that ends; its row must still be there."""
        if not (logs := self._held()):
            return
        row = connections.find(context["connectionId"])
        instance = instances.get(InstanceRef.parse(row.instance)) if row is not None else None
        if row is None or instance is None:
            return
        now = self._clock()
        caller = context.get("identity") or {}
        entry = LogEntry(
            "GET",
            f"{instance.app.rstrip('/')}/websocket/",
            101,
            began=now,
            seconds=max(0.0, now - float(row.connected_at)),
            address=str(caller.get("sourceIp") or ""),
            request={"user-agent": str(caller.get("userAgent") or "")},
        )
        self._log(logs, entry)

    def _log(self, logs: list[_Log], entry: LogEntry) -> None:
        for log in logs:
            line = {
                "access_log": log.path,
                "configuration": self._of,
                "line": log.format.line(entry),
            }
            self._write(json.dumps(line))

    def _held(self) -> list[_Log]:
        """Return the logs that the configuration names."""
        try:
            applied = self._configuration.get(self._clock())
        except SheenError as error:
            telemetry.logger.warning("no access log", extra={"error": str(error)})
            return []
        if applied is None:
            return []
        if applied.id != self._of:
            self._of = applied.id
            self._logs = [_Log(path, Format.parse(text)) for path, text in named(applied).items()]
        return self._logs


def named(applied: Applied) -> dict[str, str]:
    """Return the access logs of a configuration: path → format."""
    uses = applied.configuration.top.uses.get("access_log", ())
    return {str(use.values["path"]): str(use.values["format"]) for use in reversed(uses)}


def redacted(url: str) -> str:
    """Return a URL without what would let its reader take part in a session.

    >>> redacted("/hello/__sheen__/queue?place=secret"), redacted("/a/session/0f0f/dataobj/x?w=1")
    ('/hello/__sheen__/queue', '/a/session/-/dataobj/x?w=1')
    >>> redacted("/hello/__sockjs__/n=secret/t=x/w/s=0/512/secret/xhr_send")
    '/hello/__sockjs__/-/xhr_send'
    """
    return _SESSION.sub(r"\1-", _OURS.sub(_without_ids, url))


def _without_ids(found: re.Match[str]) -> str:
    first, *more = found[2].split("/")
    kept = first if "=" not in first else "-"
    if not more:
        return found[1] + kept
    last = more[-1] if found[1] == "/__sockjs__/" else "-"
    return f"{found[1]}{kept}/{last}"


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that a format may show."""
    kept = {
        name: value
        for name, value in headers.items()
        if name not in _SECRET_HEADERS and not name.startswith("sheen-")
    }
    return {
        name: redacted(value) if name in ("referer", "location") else value
        for name, value in kept.items()
    }
