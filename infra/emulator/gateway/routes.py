"""The routes of an API: which function answers what."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

ANY = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_PARAMETER = re.compile(r"\{([^{}+]+)(\+?)\}")


@dataclass(frozen=True)
class RestRoute:
    """A resource of a REST API: a path template, and the function that answers it.

    Templates are such as "/", "/apps/{id}" or "/{proxy+}". The method "ANY" stands for all that API
    Gateway knows.
    """

    path: str
    methods: frozenset[str]
    function: str


@dataclass(frozen=True)
class RestRoutes:
    """A REST API: its resources and its binary media types (exact, "image/*" or "*/*")."""

    routes: tuple[RestRoute, ...]
    binary_media_types: tuple[str, ...] = ()
    stage: str = "api"
    minimum_compression: int | None = None
    """Size from which answers are compressed for clients that accept it; None means never."""
    api_id: str = "localrest0"


@dataclass(frozen=True)
class WebSocketRoutes:
    """A WebSocket API: the functions behind `$connect`, `$default` and `$disconnect`."""

    connect: str
    message: str
    disconnect: str
    stage: str = "socket"
    api_id: str = "localsock0"


@dataclass(frozen=True)
class RouteMatch:
    """The matching route, and the values of its template's parameters as the client wrote them."""

    route: RestRoute
    parameters: dict[str, str] = field(default_factory=dict)


def _segments(path: str) -> list[str]:
    return path.rstrip("/").split("/")[1:]


def _match(template: list[str], path: list[str]) -> tuple[list[int], dict[str, str]] | None:
    """Return how unspecific each segment's match is, and the parameters, or None without a match.

    0 is literal, 1 a parameter, 2 greedy.
    """
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
    """Return the most specific resource for a path, if it has the method.

    The path is percent-encoded, as it came. API Gateway ignores a slash at the end when it looks
    for the resource, and a greedy parameter comes without it. It looks for the resource first: if
    that lacks the method, a less specific resource that has it does not help.
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
