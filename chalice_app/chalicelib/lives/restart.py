"""Tell the agents of an app to start afresh. Runs inside the VPC."""

from collections.abc import Callable, Iterable
from typing import Literal, TypedDict

from chalicelib import telemetry
from chalicelib.agents import protocol
from chalicelib.agents.client import Agent, AgentClient
from chalicelib.agents.errors import AgentError
from chalicelib.apps import life
from chalicelib.apps import store as apps
from chalicelib.instances import store
from chalicelib.instances.model import Instance, VersionId
from chalicelib.instances.state import InstanceState

_TIMEOUT = 10.0

Mode = Literal["restart", "retire"]
_ROUTES: dict[Mode, str] = {"restart": protocol.RESTART, "retire": protocol.RETIRE}


class RestartEvent(TypedDict):
    """Which app to restart or retire.

    * ``restart``: on instances of the active version, new sessions get new R processes. Old
      sessions go on undisturbed in the old processes.
    * ``retire``: instances of every other version take no new sessions and stop as soon as they are
      empty. If there are more than ``max_retired_versions`` such versions, the oldest ones end
      their sessions.
    """

    location: str
    mode: Mode


class RestartCount(TypedDict):
    """How many instances were told, and how many could not be.

    Those that were not told find out from the app's row, like those that are not READY yet.
    """

    told: int
    not_told: int


def restart(event: RestartEvent, agents: AgentClient, clock: Callable[[], float]) -> RestartCount:
    """Tell each READY instance that the mode concerns.

    The event may come more than once (FACTS H4). Raise :class:`NoSuchApp` if there is no such app.
    """
    app = apps.at(event["location"])
    if event["mode"] == "restart":
        life.mark_restarted(app.name, clock())
    active = str(VersionId(app.app_id, app.active_version or ""))
    wanted = [
        row
        for row in store.of_app(app.app_id)
        if row.state == InstanceState.READY
        and (row.version_id == active) == (event["mode"] == "restart")
    ]
    too_old = set()
    if event["mode"] == "retire":
        too_old = oldest(
            (row.version_id for row in wanted), app.resolved().settings.max_retired_versions
        )
    told = sum(
        _tell(
            row, protocol.SUPERSEDE if row.version_id in too_old else _ROUTES[event["mode"]], agents
        )
        for row in wanted
    )
    telemetry.logger.info(
        event["mode"], extra={"app": app.name, "told": told, "instances": len(wanted)}
    )
    return {"told": told, "not_told": len(wanted) - told}


def oldest(version_ids: Iterable[str], at_most: int) -> set[str]:
    """Return all versions but the newest ``at_most``. Their names sort by time. Pure.

    >>> oldest(["a.v1", "a.v3", "a.v2", "a.v3"], 2)
    {'a.v1'}
    """
    return set(sorted(set(version_ids), reverse=True)[at_most:])


def _tell(instance: Instance, order: str, agents: AgentClient) -> bool:
    try:
        answer = agents.request(
            Agent.of(instance), "POST", order, repeatable=True, timeout=_TIMEOUT
        )
    except AgentError as error:
        telemetry.logger.warning(
            "not told", extra={"instance": instance.instance_id, "error": str(error)}
        )
        return False
    if answer.status >= 300:
        telemetry.logger.warning(
            "not told", extra={"instance": instance.instance_id, "status": answer.status}
        )
    return answer.status < 300
