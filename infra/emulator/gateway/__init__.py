"""Amazon API Gateway on one machine.

It has REST and WebSocket APIs, with AWS's events, limits and answers (FACTS W, H).
"""

from infra.emulator.gateway.invoker import (
    Invocation,
    InvocationRefused,
    Invoker,
    NotActive,
    Throttled,
    TimedOut,
)
from infra.emulator.gateway.limits import AWS, GatewayLimits
from infra.emulator.gateway.rest import RestApi
from infra.emulator.gateway.routes import RestRoute, RestRoutes, WebSocketRoutes
from infra.emulator.gateway.throttle import TokenBucket
from infra.emulator.gateway.websocket import WebSocketApi

__all__ = [
    "AWS",
    "GatewayLimits",
    "Invocation",
    "InvocationRefused",
    "Invoker",
    "NotActive",
    "RestApi",
    "RestRoute",
    "RestRoutes",
    "Throttled",
    "TimedOut",
    "TokenBucket",
    "WebSocketApi",
    "WebSocketRoutes",
]
