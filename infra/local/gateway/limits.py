"""The gateway's numbers, each with the FACTS number it comes from: bytes, seconds, and times per second."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a gateway allows. The defaults are AWS's; tests that cannot wait or send that much give smaller ones."""

    frame: int = 32 * 1024  # W1
    message: int = 128 * 1024  # W1
    post: int = 131_072  # W1
    idle: float = 600.0  # W2, by the stack's clock
    age: float = 7_200.0  # W2, by the stack's clock
    integration_timeout: float = 29.0  # W6, H1, by the world's clock: functions do not run faster when the stack's does
    new_connections: int = 500  # W7
    requests: int = 10_000  # W7: REST requests, messages, connections and posts together
    request_burst: int = 5_000  # what AWS lets through at once of these
    # "Quotas for configuring and running a REST API" in AWS's guide: in bytes, and not to be raised.
    url: int = 10_240  # of a regional API
    head: int = 10_240  # request line and headers together
    body: int = 10 * 1024 * 1024  # H1, request and response
    lambda_payload: int = 6_291_456  # H1, event and answer

    # AWS publishes no number for these.
    client_buffer: int = 1024 * 1024  # bytes waiting for a slow client before a post is refused (W7)
    in_flight: int = 64  # messages of one connection being handled before no more is read from it
    socket_buffer: int = 256 * 1024  # of that, what the kernel may hold, so that a slow client is noticed
    close_timeout: float = 5.0  # for the client to answer a close, by the world's clock


AWS = Limits()
