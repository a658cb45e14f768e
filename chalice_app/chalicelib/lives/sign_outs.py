"""End the sessions of logins that have ended. Runs inside the VPC.

An agent that is not told finds out by itself within a minute: it reads the rows of the logins whose
sessions it has.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chalicelib import telemetry
from chalicelib.agents import protocol
from chalicelib.agents.client import Agent, AgentClient
from chalicelib.agents.errors import AgentError
from chalicelib.instances import store
from chalicelib.instances.state import InstanceState

_TIMEOUT = 2.0
_LIVING = (InstanceState.READY, InstanceState.DRAINING)
_MOST = 1000
"""Logins that one request names."""


def tell(login_ids: Sequence[str], agents: AgentClient) -> int:
    """Tell every instance that logins have ended; return how many were told."""
    told = 0
    if not login_ids:
        return told
    for row in store.everywhere():
        if row.state not in _LIVING or not row.address:
            continue
        try:
            for some in _parts(login_ids):
                agents.request(
                    Agent.of(row),
                    "POST",
                    protocol.SIGN_OUT,
                    body=json.dumps(some).encode(),
                    repeatable=True,
                    timeout=_TIMEOUT,
                )
            told += 1
        except AgentError as error:
            telemetry.logger.warning(
                "not told", extra={"instance": row.instance_id, "error": str(error)}
            )
    return told


def on_demand(event: Mapping[str, Any], agents: AgentClient) -> dict[str, int]:
    """Do the same for ``{"logins": [ID, …]}``, as the command asks."""
    return {"told": tell([str(each) for each in event["logins"]], agents)}


def _parts(login_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(login_ids), _MOST):
        yield login_ids[at : at + _MOST]
