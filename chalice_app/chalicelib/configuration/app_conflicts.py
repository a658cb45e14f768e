"""What an app's settings may not say together. Pure."""

from collections.abc import Collection, Container, Mapping
from typing import Protocol

from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.worker_limits import MOST_SEATS, WorkerLimits

SPREADS = (
    ("simple_scheduler",),
    ("utilization_scheduler",),
    ("max_connections", "worker_load_factor", "max_worker_processes"),
)
"""The alternative ways to say how sessions are spread; an app uses one of them."""


class CheckedSettings(Protocol):
    """The settings of an app that are looked at here."""

    @property
    def start_count(self) -> int: ...
    @property
    def max_instances(self) -> int: ...
    @property
    def utilization_scheduler(self) -> tuple[int, float, int] | None: ...
    @property
    def worker_limits(self) -> WorkerLimits: ...
    @property
    def environment(self) -> Mapping[str, str]: ...
    @property
    def secrets(self) -> Mapping[str, str]: ...


def check(settings: CheckedSettings, given: Collection[str]) -> None:
    """Raise :class:`BadAppSetting` if settings contradict each other.

    ``given`` are the names of those that are not defaults.
    """
    if settings.start_count > settings.max_instances:
        raise BadAppSetting(
            f"start_count is {settings.start_count} and max_instances "
            f"{settings.max_instances}; raise max_instances"
        )
    ways = [way for way in SPREADS if any(name in given for name in way)]
    if len(ways) > 1:
        named = ", ".join(name for way in ways for name in way if name in given)
        raise BadAppSetting(
            f"settings {named} say the same in different ways; keep one and take the "
            f"other back, as in {ways[0][0]}="
        )
    if settings.worker_limits.seats > MOST_SEATS:
        raise BadAppSetting(_too_many_seats(settings, given))
    twice = settings.environment.keys() & settings.secrets.keys()
    if twice:
        raise BadAppSetting(f'variable "{min(twice)}" is in environment and in secrets; keep one')


def _too_many_seats(settings: CheckedSettings, given: Container[str]) -> str:
    """Return a message that names the factors: settings that were given, and defaults."""
    limits = settings.worker_limits
    if settings.utilization_scheduler is not None:
        made = (
            f"utilization_scheduler asks for {limits.max_connections} sessions on each of "
            f"{limits.max_processes} R processes"
        )
    else:
        values = {
            "max_connections": limits.max_connections,
            "max_worker_processes": limits.max_processes,
        }
        made = " times ".join(
            f"{name}={value}{'' if name in given else ' (the default)'}"
            for name, value in values.items()
        )
    return (
        f"{made} makes {limits.seats:,} sessions on one instance; at most {MOST_SEATS:,} are "
        "allowed: lower one of them"
    )
