"""The gateway's limits, each with its FACTS number.

They are in bytes, seconds, or events per second.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GatewayLimits:
    """The limits of a gateway.

    The defaults are AWS's. Tests that cannot wait or send that much use smaller ones.
    """

    frame: int = 32 * 1024  # W1
    message: int = 128 * 1024  # W1
    post: int = 131_072  # W1
    idle: float = 600.0  # W2, by the stack's clock
    age: float = 7_200.0  # W2, by the stack's clock
    # W6, H1, by the world's clock: functions do not run faster when the stack's clock does.
    integration_timeout: float = 29.0
    new_connections: int = 500  # W7
    requests: int = 10_000  # W7: REST requests, messages, connections and posts together
    request_burst: int = 5_000  # how many of these AWS accepts at once
    # Limits in bytes that cannot be raised, from "Quotas for configuring and running a REST API" in
    # AWS's guide.
    url: int = 10_240  # of a regional API
    head: int = 10_240  # request line and headers together
    body: int = 10 * 1024 * 1024  # H1, request and response
    lambda_payload: int = 6_291_456  # H1, event and answer

    # AWS publishes no numbers for the following limits.

    # Bytes that may wait for a slow client before a post is refused (W7).
    client_buffer: int = 1024 * 1024
    # Messages of one connection that may be handled at once before reading from it stops.
    in_flight: int = 64
    # Part of `client_buffer` that the kernel may hold, so that a slow client is noticed.
    socket_buffer: int = 256 * 1024
    # Time for the client to answer a close, by the world's clock.
    close_timeout: float = 5.0


AWS = GatewayLimits()
