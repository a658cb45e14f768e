"""Which function answers what."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

ANY = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_PARAMETER = re.compile(r"\{([^{}+]+)(\+?)\}")


@dataclass(frozen=True)
class RestRoute:
    """A resource of a REST API: a path template such as "/", "/apps/{id}" or "/{proxy+}", and who answers it.

    The method "ANY" stands for all that API Gateway knows.
    """

    path: str
    methods: frozenset[str]
    function: str


@dataclass(frozen=True)
class RestRoutes:
    """A REST API: its resources, and the media types it takes as binary (exact, "image/*" or "*/*")."""

    routes: tuple[RestRoute, ...]
    binary_media_types: tuple[str, ...] = ()
    stage: str = "api"
    minimum_compression: int | None = None
    """Bytes from which on answers are compressed for clients that like that; None: never."""
    api_id: str = "sheenrest0"


@dataclass(frozen=True)
class WebSocketRoutes:
    """A WebSocket API: the functions behind `$connect`, `$default` and `$disconnect`."""

    connect: str
    message: str
    disconnect: str
    stage: str = "socket"
    api_id: str = "sheensock0"


@dataclass(frozen=True)
class RouteMatch:
    """The route that answers a request, and what its template's parameters stand for, as the client wrote it."""

    route: RestRoute
    parameters: dict[str, str] = field(default_factory=dict)


def _segments(path: str) -> list[str]:
    return path.rstrip("/").split("/")[1:]


def _match(template: list[str], path: list[str]) -> tuple[list[int], dict[str, str]] | None:
    """How unspecific each segment's match is (0 literal, 1 parameter, 2 greedy) and the parameters; None: no match."""
    rank: list[int] = []
    parameters: dict[str, str] = {}
    for position, segment in enumerate(template):
        parameter = _PARAMETER.fullmatch(segment)
        if parameter is not None and parameter[2]:
            rest = "/".join(path[position:])
            if not rest.strip("/"):
                return None
            return [*rank, 2], {**parameters, parameter[1]: rest}
        if position >= len(path):
            return None
        if parameter is not None:
            if not path[position]:
                return None
            parameters[parameter[1]] = path[position]
        elif segment != unquote(path[position]):
            return None
        rank.append(0 if parameter is None else 1)
    return (rank, parameters) if len(path) == len(template) else None


def match_route(routes: RestRoutes, method: str, path: str) -> RouteMatch | None:
    """The most specific resource for a path (as it came, percent-encoded), if it has the method.

    API Gateway ignores a slash at the end when it looks for the resource, and a greedy parameter comes without it.
    It looks for the resource first: where that has not the method, a less specific one that has it does not help.
    """
    wanted = _segments(path)
    best: tuple[list[int], RouteMatch] | None = None
    allowed = False
    for route in routes.routes:
        found = _match(_segments(route.path), wanted)
        if found is None:
            continue
        rank, parameters = found
        has_method = method in route.methods or ("ANY" in route.methods and method in ANY)
        if best is None or rank < best[0] or (rank == best[0] and has_method):
            best = (rank, RouteMatch(route, parameters))
            allowed = has_method
    return best[1] if best is not None and allowed else None
