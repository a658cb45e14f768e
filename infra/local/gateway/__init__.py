"""Amazon API Gateway on one machine.

It has REST and WebSocket APIs, with AWS's events, limits and answers (FACTS W, H).
"""

from infra.local.gateway.invoker import Invocation, Invoker, NotActive, Refused, Throttled, TimedOut
from infra.local.gateway.limits import AWS, Limits
from infra.local.gateway.rest import RestApi
from infra.local.gateway.routes import RestRoute, RestRoutes, WebSocketRoutes
from infra.local.gateway.throttle import TokenBucket
from infra.local.gateway.websocket import WebSocketApi

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
