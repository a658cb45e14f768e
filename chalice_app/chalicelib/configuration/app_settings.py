"""An app's settings, named after Shiny Server's directives where one exists. Pure."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from chalicelib.configuration.app_rules import (
    LONGEST_COMMAND,
    PROTOCOLS,
    VARIABLE,
    program,
    read_command,
    read_protocols,
    read_utilization,
)
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.limits import LARGEST_OBJECT
from chalicelib.configuration.rules import (
    BadEntry,
    Rule,
    choice,
    count,
    names_to,
    no_setting,
    seconds,
    share,
    shown,
    switch,
    text,
)

SIZES = ("small", "medium", "large", "xlarge", "xxlarge", "xxxlarge")
"""Sizes of an instance, named as on shinyapps.io; ``infra.declared`` defines each."""


class WorkerLimits(NamedTuple):
    """How the sessions of one instance are spread over its R processes."""

    max_connections: int
    """Sessions that one worker takes."""
    load_factor: float
    """A further worker is opened if a new session would raise the share of taken seats above this.

    The share is over the workers that exist.
    """
    max_processes: int

    @property
    def seats(self) -> int:
        """Sessions that one instance takes."""
        return self.max_connections * self.max_processes


@dataclass(frozen=True, slots=True)
class AppSettings:
    """The settings of one app. Times are in seconds."""

    title: str = ""
    """Title in the list of apps and on the waiting page; empty: the end of its location."""
    size: str = "large"
    """Size of an instance, one of :data:`SIZES`."""
    start_count: int = 1
    """Instances that the first visit starts."""
    instance_load_factor: float = 0.5
    """A further instance starts when the share of taken seats exceeds this.

    The share is over ready and starting instances.
    """

    app_init_timeout: float = 60.0
    """Time within which R must make the app answer (FACTS S10)."""
    app_idle_timeout: float = 5.0
    """How long an R process without sessions is kept; 0: forever."""
    instance_idle_timeout: float = 900.0
    """How long an instance without sessions is kept; 0: forever."""
    instance_unvisited_timeout: float = 90.0
    """The same for an instance that no page has connected to yet; 0: as for other instances."""
    app_session_timeout: float = 0.0
    """How long a session may be idle; 0: forever."""
    connection_timeout: float = 900.0
    """How long a browser may be silent before its connection counts as lost; 0: forever."""
    read_timeout: float = 3600.0
    """How long R may send nothing to a session before the session is ended; 0: forever."""
    simple_scheduler: int = 100
    """Sessions on one instance, all of them on one worker; see :attr:`worker_limits`."""
    utilization_scheduler: tuple[int, float, int] | None = None
    """The most connections per worker, the load factor, and the most workers per instance.

    Replaces ``simple_scheduler``.
    """
    max_connections: int | None = None
    """The first value of ``utilization_scheduler``, under shinyapps.io's name."""
    worker_load_factor: float | None = None
    """The second value of ``utilization_scheduler``, under shinyapps.io's name."""
    max_worker_processes: int | None = None
    """The third value of ``utilization_scheduler``, under shinyapps.io's name."""
    max_retired_workers: int = 3
    """How many old workers may run on after a restart, until their sessions end."""
    max_retired_versions: int = 3
    """How many old versions may keep their instances after a publish, until their sessions end."""
    max_instances: int = 1
    """The most instances of one version."""
    queue_page_timeout: float = 15.0
    """How long a page without a connection keeps its seat while visitors queue."""
    queue_page_share: float = 0.5
    """The share of seats that all such pages may hold while visitors queue."""
    queue_per_address: int = 50
    """The most such pages, and the most places in the queue, of one address; 0: any number."""
    preload: bool = True
    """Whether workers are forked from an R process that has loaded Shiny already."""
    sanitize_errors: bool = True
    """Whether R's error messages are hidden from visitors."""
    sockjs_heartbeat_delay: float = 25.0
    sockjs_disconnect_delay: float = 5.0
    reconnect: bool = True
    """Whether a session outlives its connection."""
    reconnect_grace: float = 15.0
    """How long a session outlives its connection (FACTS S7)."""
    disable_websockets: bool = False
    disable_protocols: tuple[str, ...] = ()
    visibility: str = "public"
    """Who may see the app.

    ``public``: everybody. ``unlisted``: everybody who knows its URL. ``private``: nobody without
    signing in.
    """
    largest_upload: int = 5 * 1024**3
    """The most bytes of a visitor's uploaded file; R's ``shiny.maxRequestSize`` also applies."""
    exec_supervisor: tuple[str, ...] = ()
    """A command put in front of R's or Python's, as in ``nice -n 10``."""
    r_path: str = ""
    """The R program that runs an app in R; empty: the image's."""
    python: str = ""
    """The Python program that runs an app in Python; empty: the image's."""
    r_version: str = ""
    """The version of R that the app needs, as in ``4.2``; empty: the image's."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables in R's environment."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variables in R's environment whose values are secrets: variable → name in Secrets Manager."""
    role: str = ""
    """AWS role of the app's processes: path and name below the deployment's path; empty: none."""
    check: bool = True
    """Whether a build tries the app before it is published."""
    package_cache: bool = True
    """Whether a build reuses packages that another build has made."""
    package_mismatch: str = "stop"
    """What a build does if it can get a package only in another version than requested.

    It stops (``stop``), or goes on with that version (``with-installed``).
    """
    versions_kept: int = 5
    """How many versions of the app are kept; the active one and the one before always stay."""
    preserve_logs: bool = True
    """Whether the logs of workers that ended without failure are kept."""
    log_file_mode: str = "0640"
    data: Mapping[str, str] = field(default_factory=dict)
    """Synced folders that the app sees: name of the sync → ``read`` or ``write``."""
    restart_on_sync: bool = False
    """Whether the app restarts when a folder of :attr:`data` has changed."""

    @property
    def worker_limits(self) -> WorkerLimits:
        """The limits, whichever settings define them."""
        if self.utilization_scheduler is not None:
            return WorkerLimits(*self.utilization_scheduler)
        if (
            self.max_connections is None
            and self.worker_load_factor is None
            and self.max_worker_processes is None
        ):
            return WorkerLimits(self.simple_scheduler, 1.0, 1)
        return WorkerLimits(
            self.max_connections if self.max_connections is not None else 50,
            self.worker_load_factor if self.worker_load_factor is not None else 0.05,
            self.max_worker_processes if self.max_worker_processes is not None else 3,
        )

    def _too_many_seats(self, given: Container[str]) -> str:
        """Return a message that names the factors: settings that were given, and defaults."""
        limits = self.worker_limits
        if self.utilization_scheduler is not None:
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
            f"{made} makes {limits.seats:,} sessions on one instance; at most {_MOST_SEATS:,} "
            "are allowed: lower one of them"
        )

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "AppSettings":
        """Read the settings of an app's row.

        Raise :class:`BadAppSetting` that names the setting, its rule and an example.
        """
        known = {name: RULES[name] for name in (field.name for field in fields(cls))}
        parsed: dict[str, Any] = {}
        for name, value in values.items():
            rule = known.get(name)
            if rule is None:
                raise BadAppSetting(no_setting(name, sorted(known)))
            try:
                parsed[name] = rule.read(value)
            except BadEntry as error:
                raise BadAppSetting(
                    f'setting {name}: "{error}" cannot be in it; it is {rule.words}, as '
                    f"in {name}={rule.example}"
                ) from None
            except (TypeError, ValueError):
                # The values of a map may be confidential, so they are not shown.
                wrong = "cannot be read" if name in MAPS else f"is {shown(value)}"
                raise BadAppSetting(
                    f"setting {name} {wrong}; it is {rule.words}, as in {name}={rule.example}"
                ) from None
        settings = cls(**parsed)
        if settings.start_count > settings.max_instances:
            raise BadAppSetting(
                f"start_count is {settings.start_count} and max_instances "
                f"{settings.max_instances}; raise max_instances"
            )
        ways = [way for way in _SCHEDULERS if any(name in parsed for name in way)]
        if len(ways) > 1:
            given = ", ".join(name for way in ways for name in way if name in parsed)
            raise BadAppSetting(
                f"settings {given} say the same in different ways; keep one and take the "
                f"other back, as in {ways[0][0]}="
            )
        if settings.worker_limits.seats > _MOST_SEATS:
            raise BadAppSetting(settings._too_many_seats(parsed))
        twice = settings.environment.keys() & settings.secrets.keys()
        if twice:
            raise BadAppSetting(
                f'variable "{min(twice)}" is in environment and in secrets; keep one'
            )
        return settings

    @classmethod
    def effective(cls, bundle: Mapping[str, Any], own: Mapping[str, Any]) -> "AppSettings":
        """Merge the settings of a bundle and of the app itself; raise :class:`BadAppSetting`.

        Settings of the app override those of the bundle, key by key for :data:`MAPS`. If the app
        says how sessions are spread, all the bundle's settings about that are ignored.
        """
        own_way = next((way for way in _SCHEDULERS if any(name in own for name in way)), None)
        other_ways = {
            name
            for way in _SCHEDULERS
            if own_way is not None and way is not own_way
            for name in way
        }
        merged = {
            **{name: value for name, value in bundle.items() if name not in other_ways},
            **own,
        }
        for name in MAPS:
            if name in bundle and name in own:
                merged[name] = {**_read_map(name, bundle), **_read_map(name, own)}
        for name, other in (("environment", "secrets"), ("secrets", "environment")):
            # A variable that the app has in one of them overrides the bundle's in the other.
            if name in own and other in bundle:
                mine = _read_map(name, own).keys() - (
                    _read_map(other, own).keys() if other in own else ()
                )
                merged[other] = {
                    key: value for key, value in _read_map(other, merged).items() if key not in mine
                }
        return cls.parse(merged)


MAPS = ("environment", "secrets", "data")
"""Settings that map names to values."""


def _read_map(name: str, settings: Mapping[str, Any]) -> dict[str, str]:
    parsed: dict[str, str] = dict(getattr(AppSettings.parse({name: settings[name]}), name))
    return parsed


_SCHEDULERS = (
    ("simple_scheduler",),
    ("utilization_scheduler",),
    ("max_connections", "worker_load_factor", "max_worker_processes"),
)
"""The alternative ways to say how sessions are spread; an app uses one of them."""
_MOST_SEATS = 1000
"""Limit of seats on an instance: a seat is about 50 bytes of its row, which holds 400 KB."""


_DAY = 86400.0

RULES: dict[str, Rule] = {
    # The state machine gives up on a start after 300 s, which includes the machine's (FACTS E1).
    "app_init_timeout": seconds(1, 240, "60"),
    "app_idle_timeout": seconds(0, 30 * _DAY, "5"),
    "instance_idle_timeout": seconds(0, 30 * _DAY, "900"),
    "instance_unvisited_timeout": seconds(0, 30 * _DAY, "90"),
    "app_session_timeout": seconds(0, 30 * _DAY, "3600"),
    "title": text(
        r"[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]{0,100}",
        "a title of at most 100 characters",
        "'Sales, by month'",
    ),
    "size": choice(SIZES),
    "start_count": count(1, 100, "1"),
    "instance_load_factor": share("0.5"),
    "connection_timeout": seconds(0, 30 * _DAY, "900"),
    "read_timeout": seconds(0, 30 * _DAY, "3600"),
    "simple_scheduler": count(1, _MOST_SEATS, "100"),
    "utilization_scheduler": Rule(
        read_utilization,
        "<max connections> <load factor from 0 to 1> <max processes>",
        "'utilization_scheduler=20 0.9 3'",
    ),
    "max_connections": count(1, _MOST_SEATS, "50"),
    "worker_load_factor": share("0.05"),
    "max_worker_processes": count(1, 100, "3"),
    "max_retired_workers": count(0, 100, "3"),
    "max_retired_versions": count(0, 100, "3"),
    "queue_page_timeout": seconds(5, 45, "15"),
    "queue_page_share": share("0.5"),
    "queue_per_address": count(0, 1000, "50"),
    "preload": switch("true"),
    "largest_upload": count(1, LARGEST_OBJECT, "5000000000"),
    "exec_supervisor": Rule(
        read_command,
        (
            "a command with its arguments, quoted as for a shell, at most "
            f"{LONGEST_COMMAND:,} characters"
        ),
        "'nice -n 10'",
    ),
    "r_path": program("/opt/R/4.3.1/bin/R"),
    "python": program("/opt/python/3.12/bin/python"),
    "visibility": choice(("public", "unlisted", "private")),
    "r_version": text(r"(\d+(\.\d+){0,2})?", "a version of R", "4.2"),
    "environment": names_to(
        VARIABLE,
        r"[^\0]{0,4096}",
        "names and values of variables, none of Sheen's or AWS's own",
        "'TZ=UTC LEVEL=2'",
        16_384,
    ),
    "secrets": names_to(
        VARIABLE,
        r"[A-Za-z0-9/_+=.@-]{1,512}",
        "names of variables and of their secrets",
        "'DB_PASSWORD=sales/db'",
        16_384,
    ),
    "role": text(
        r"(([A-Za-z0-9_][A-Za-z0-9._~-]*/){0,9}[A-Za-z0-9_-]{1,64})?",
        "a location and the name of a role that the operator made",
        "sales/reader",
    ),
    "check": switch("false"),
    "package_cache": switch("true"),
    "package_mismatch": choice(("stop", "with-installed")),
    "versions_kept": count(2, 1000, "5"),
    "preserve_logs": switch("true"),
    "log_file_mode": text(r"0?[0-7]{3}", "a file's mode", "0640"),
    "data": names_to(
        r"[a-z0-9][a-z0-9-]{0,62}",
        "read|write",
        "names of syncs, each with read or write",
        "'sales=read'",
        4096,
    ),
    "restart_on_sync": switch("false"),
    "max_instances": count(1, 100, "1"),
    "sanitize_errors": switch("true"),
    "sockjs_heartbeat_delay": seconds(1, 600, "25"),
    "sockjs_disconnect_delay": seconds(1, 600, "5"),
    "reconnect": switch("true"),
    "reconnect_grace": seconds(0, 3600, "15"),
    "disable_websockets": switch("false"),
    "disable_protocols": Rule(
        read_protocols, f"a list of some of {', '.join(PROTOCOLS)}", '["websocket"]'
    ),
}
