"""Amazon API Gateway on one machine.

It has REST and WebSocket APIs, with AWS's events, limits and answers (FACTS W, H).
"""

from infra.emulator.gateway.invoker import (
    Invocation,
    Invoker,
    NotActive,
    Refused,
    Throttled,
    TimedOut,
)
from infra.emulator.gateway.limits import AWS, Limits
from infra.emulator.gateway.rest import RestApi
from infra.emulator.gateway.routes import RestRoute, RestRoutes, WebSocketRoutes
from infra.emulator.gateway.throttle import TokenBucket
from infra.emulator.gateway.websocket import WebSocketApi

__all__ = [
    "AWS",
    "Invocation",
    "Invoker",
    "Limits",
    "NotActive",
    "Refused",
    "RestApi",
    "RestRoute",
    "RestRoutes",
    "Throttled",
    "TimedOut",
    "TokenBucket",
    "WebSocketApi",
    "WebSocketRoutes",
]
