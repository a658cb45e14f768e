"""An app's settings, named after Shiny Server's directives where one exists. Pure.

Each is declared once, here; :mod:`chalicelib.configuration.layers` says which value holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from chalicelib.configuration import app_conflicts
from chalicelib.configuration.app_rules import (
    GROUPS,
    HEADER,
    LONGEST_COMMAND,
    MOST_HEADERS,
    PROTOCOLS,
    VARIABLE,
    program,
    read_command,
    read_frame_options,
    read_headers,
    read_protocols,
    read_utilization,
)
from chalicelib.configuration.declaring import ANYWHERE, OPERATORS, LayerKind, declared, setting
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.limits import LARGEST_OBJECT
from chalicelib.configuration.rules import (
    BadEntry,
    Rule,
    choice,
    count,
    names_of,
    names_to,
    no_setting,
    seconds,
    share,
    shown,
    switch,
    text,
)
from chalicelib.configuration.worker_limits import MOST_SEATS, WorkerLimits

SIZES = ("small", "medium", "large", "xlarge", "xxlarge", "xxxlarge")
"""Sizes of an instance, named as on shinyapps.io; ``infra.declared`` defines each."""
_DAY = 86400.0
BOOKMARKS_OFF = "off"
"""Value of ``bookmark_state_dir`` that keeps apps from storing states."""
_ONE_APP = ANYWHERE - {LayerKind.DEPLOYMENT, LayerKind.SERVER}

_list = partial(setting, section="The app in the list")
_access = partial(setting, section="Who may see the app", see="author.md#who-may-see-an-app")
_timeout = partial(setting, section="Timeouts")
_instances = partial(setting, section="Instances, R processes and sessions")
_queue = partial(setting, section="The queue")
_build = partial(setting, section="Builds")
_runs = partial(setting, section="What runs the app")
_connections = partial(setting, section="Connections")
_pages = partial(setting, section="Pages and headers")


@dataclass(frozen=True, slots=True)
class AppSettings:
    """The settings of one app. Times are in seconds."""

    title: str = _list(
        text(
            r"[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]{0,100}",
            "a title of at most 100 characters",
            "'Sales, by month'",
        ),
        default="",
        within=_ONE_APP,
    )
    """The app's name in the list of apps and on the waiting page; empty: the end of its location.
    """
    visibility: str = _list(
        choice(("public", "unlisted", "signed-in", "private")),
        default="public",
        see="author.md#who-may-see-an-app",
    )
    """Who may see the app.

    ``public``: everybody. ``unlisted``: everybody who knows its URL. ``signed-in``: every user.
    ``private``: users whom the app names, and admins.
    """

    required_user: tuple[str, ...] = _access(names_of("users", "'kim jo@example.org'"), default=())
    """Users who may see the app; ``*``: every user; ``**``: everybody, as without the setting."""
    required_group: tuple[str, ...] = _access(names_of("groups", "'sales board'"), default=())
    """Groups whose users may see the app, beside those whom ``required_user`` names."""
    viewers: tuple[str, ...] = _access(names_of("users", "'kim jo@example.org'"), default=())
    """Users who are invited to see the app."""
    collaborators: tuple[str, ...] = _access(names_of("users", "'kim jo@example.org'"), default=())
    """Users who work on the app, and so may see it."""

    # The state machine gives up on a start after 300 s, which includes the machine's (FACTS E1).
    app_init_timeout: float = _timeout(
        seconds(1, 240, "60"), default=60.0, directive="app_init_timeout"
    )
    """How long R may take until the app answers."""
    app_idle_timeout: float = _timeout(
        seconds(0, 30 * _DAY, "5"), default=5.0, directive="app_idle_timeout"
    )
    """How long an R process without sessions is kept; 0: as long as its instance."""
    instance_idle_timeout: float = _timeout(seconds(0, 30 * _DAY, "900"), default=900.0)
    """How long an instance (the machine, and its bill) without sessions is kept; 0: forever."""
    instance_unvisited_timeout: float = _timeout(seconds(0, 30 * _DAY, "90"), default=90.0)
    """The same for an instance that no page has connected to; 0: as for other instances.

    Perhaps a program opened the address and went away. Raise it for an app that programs use and
    no browser, and with ``start_count``.
    """
    app_session_timeout: float = _timeout(
        seconds(0, 30 * _DAY, "3600"), default=0.0, directive="app_session_timeout"
    )
    """How long a visitor may do nothing until the session ends; 0: forever."""
    connection_timeout: float = _timeout(seconds(0, 30 * _DAY, "900"), default=900.0)
    """How long a page may be silent until its connection counts as lost; 0: forever."""
    read_timeout: float = _timeout(seconds(0, 30 * _DAY, "3600"), default=3600.0)
    """How long the app may send nothing to a session until the session ends; 0: forever."""

    size: str = _instances(choice(SIZES), default="large")
    """How large an instance is."""
    simple_scheduler: int = _instances(
        count(1, MOST_SEATS, "100"), default=100, directive="simple_scheduler"
    )
    """How many sessions one instance takes, all of them on one R process."""
    utilization_scheduler: tuple[int, float, int] | None = _instances(
        Rule(
            read_utilization,
            "<max connections> <load factor from 0 to 1> <max processes>",
            "'20 0.9 3'",
        ),
        default=None,
        directive="utilization_scheduler",
        see="author.md#several-r-processes",
    )
    """Sessions of one R process, load factor, and R processes of one instance.

    Replaces ``simple_scheduler``.
    """
    max_connections: int | None = _instances(count(1, MOST_SEATS, "50"), default=None)
    """The first value of ``utilization_scheduler``, under shinyapps.io's name.

    Setting one of these three is enough: the others are then 50, 0.05 and 3.
    """
    worker_load_factor: float | None = _instances(share("0.05"), default=None)
    """The second value of ``utilization_scheduler``, under shinyapps.io's name."""
    max_worker_processes: int | None = _instances(count(1, 100, "3"), default=None)
    """The third value of ``utilization_scheduler``, under shinyapps.io's name."""
    max_instances: int = _instances(count(1, 100, "1"), default=1)
    """The most instances of one version.

    When all are full, visitors wait in a queue (503) and enter one by one as seats become free.
    """
    start_count: int = _instances(count(1, 100, "1"), default=1)
    """How many instances the first visit starts.

    ``instances=3`` of rsconnect's ``configureApp`` is ``start_count=3 max_instances=3`` here.
    """
    instance_load_factor: float = _instances(share("0.5"), default=0.5)
    """Another instance starts when more than this share of the seats is taken.

    The share is over ready and starting instances.
    """
    max_retired_workers: int = _instances(count(0, 100, "3"), default=3)
    """After a restart: how many old R processes of an instance may live until their sessions end.

    The oldest above that are ended.
    """
    max_retired_versions: int = _instances(count(0, 100, "3"), default=3)
    """After a publish: how many old versions may keep instances until their sessions end.

    The sessions of older versions are ended.
    """
    preload: bool = _instances(switch("true"), default=True, see="author.md#forked-r-processes")
    """Whether R processes are forked from one that has Shiny loaded."""

    queue_page_timeout: float = _queue(seconds(5, 45, "15"), default=15.0)
    """While visitors queue: how long a page keeps its seat if its connection does not come.

    It is 45 seconds when nobody queues.
    """
    queue_page_share: float = _queue(share("0.5"), default=0.5)
    """While visitors queue: the share of the seats that such pages may take together."""
    queue_per_address: int = _queue(count(0, 1000, "50"), default=50)
    """The most such pages, and the most places in the queue, of one address; 0: any number.

    For IPv6 an address is one /64. A whole school may come from one address.
    """

    check: bool = _build(switch("false"), default=True, see="author.md#checks-during-a-build")
    """Whether a build tries the app before it is published."""
    versions_kept: int = _build(count(2, 1000, "5"), default=5)
    """How many of the newest versions are kept.

    The active one and the one before always stay.
    """
    package_mismatch: str = _build(choice(("stop", "with-installed")), default="stop")
    """What a build does if it can get a package only in another version than requested.

    It stops, or goes on with the version that the image has. A note says which version was used.
    """
    package_cache: bool = _build(switch("true"), default=True)
    """Whether a build reuses packages that another build has made."""
    r_version: str = _build(text(r"(\d+(\.\d+){0,2})?", "a version of R", "4.2"), default="")
    """The version of R that the app needs; a bundle is refused if the image has another."""

    environment: Mapping[str, str] = _runs(
        names_to(
            VARIABLE,
            r"[^\0]{0,4096}",
            "names and values of variables, none of Sheen's or AWS's own",
            "'TZ=UTC LEVEL=2'",
            16_384,
        ),
        default_factory=dict,
        see="author.md#environment",
    )
    """Variables of R's environment."""
    secrets: Mapping[str, str] = _runs(
        names_to(
            VARIABLE,
            r"[A-Za-z0-9/_+=.@-]{1,512}",
            "names of variables and of their secrets",
            "'DB_PASSWORD=sales/db'",
            16_384,
        ),
        default_factory=dict,
        see="author.md#secrets",
    )
    """Variables of R's environment whose values are secrets: variable → name in Secrets Manager."""
    role: str = _runs(
        text(
            r"(([A-Za-z0-9_][A-Za-z0-9._~-]*/){0,9}[A-Za-z0-9_-]{1,64})?",
            "a location and the name of a role that the operator made",
            "sales/reader",
        ),
        default="",
        see="author.md#aws-roles",
    )
    """AWS role of the app's processes: path and name below the deployment's path; empty: none."""
    data: Mapping[str, str] = _runs(
        names_to(
            r"[a-z0-9][a-z0-9-]{0,62}",
            "read|write",
            "names of syncs, each with read or write",
            "'sales=read'",
            4096,
        ),
        default_factory=dict,
        see="author.md#data",
    )
    """Synced folders that the app sees: name of the sync → ``read`` or ``write``."""
    restart_on_sync: bool = _runs(switch("false"), default=False)
    """Whether new data from a sync restarts the app."""
    exec_supervisor: tuple[str, ...] = _runs(
        Rule(
            read_command,
            "a command with its arguments, quoted as for a shell, at most "
            f"{LONGEST_COMMAND:,} characters",
            "'nice -n 10'",
        ),
        default=(),
        directive="exec_supervisor",
        see="author.md#another-r-or-a-command-before-it",
    )
    """A command before R (or Python)."""
    r_path: str = _runs(
        program("/opt/R/4.3.1/bin/R"),
        default="",
        directive="r_path",
        see="author.md#another-r-or-a-command-before-it",
    )
    """The R program that runs an app in R; empty: the image's."""
    python: str = _runs(
        program("/opt/python/3.12/bin/python"),
        default="",
        directive="python",
        see="author.md#another-r-or-a-command-before-it",
    )
    """The Python program that runs an app in Python; empty: the image's."""
    allow_app_override: bool = _runs(
        switch("true"),
        default=False,
        within=OPERATORS,
        directive="allow_app_override",
        see="from-shiny-server.md#settings-in-an-apps-folder",
    )
    """Whether ``.shiny_app.conf`` in an app's folder sets what authors may set."""
    largest_upload: int = _runs(count(1, LARGEST_OBJECT, "5000000000"), default=5 * 1024**3)
    """The most bytes of a visitor's uploaded file; R's ``shiny.maxRequestSize`` also applies."""
    sanitize_errors: bool = _runs(switch("true"), default=True, directive="sanitize_errors")
    """Whether R's error messages are hidden from visitors."""
    preserve_logs: bool = _runs(switch("true"), default=True, directive="preserve_logs")
    """Whether the logs of R processes that ended normally are kept."""
    log_file_mode: str = _runs(
        text(r"0?[0-7]{3}", "a file's mode", "0640"), default="0640", directive="log_file_mode"
    )
    """Mode of log files, on one machine."""
    log_dir: str = _runs(
        text(r"([/~][^\x00-\x1f\x7f]{0,1000})?", "an absolute path", "/var/log/shiny-server"),
        default="",
        within=OPERATORS,
        directive="log_dir",
    )
    """Folder of log files, on one machine; elsewhere the files' names end the streams' names."""
    log_as_user: bool = _runs(
        switch("true"), default=False, within=OPERATORS, directive="log_as_user"
    )
    """Whether the files in ``log_dir`` belong to the app's user."""
    bookmark_state_dir: str = _runs(
        text(
            rf"({BOOKMARKS_OFF}|/[^\x00-\x1f\x7f]{{1,1000}})?",
            f"an absolute path, or {BOOKMARKS_OFF}",
            "/var/lib/shiny-server/bookmarks",
        ),
        default="",
        directive="bookmark_state_dir",
    )
    """Folder of bookmarked states, for apps that run in a folder on one machine.

    Other apps have a folder of their own. ``off``: no state can be kept.
    """

    reconnect: bool = _connections(switch("true"), default=True, directive="reconnect")
    """Whether a session outlives its connection."""
    reconnect_grace: float = _connections(seconds(0, 3600, "15"), default=15.0)
    """How long a session outlives its connection."""
    sockjs_heartbeat_delay: float = _connections(
        seconds(1, 600, "25"), default=25.0, directive="sockjs_heartbeat_delay"
    )
    """Pause between heartbeats on a SockJS connection."""
    sockjs_disconnect_delay: float = _connections(
        seconds(1, 600, "5"), default=5.0, directive="sockjs_disconnect_delay"
    )
    """How long a SockJS client may stay away between two polls."""
    disable_websockets: bool = _connections(
        switch("false"), default=False, directive="disable_websockets"
    )
    """Whether pages use HTTP only."""
    disable_protocols: tuple[str, ...] = _connections(
        Rule(
            read_protocols,
            f"a list of some of {', '.join((*PROTOCOLS, *GROUPS))}",
            "'websocket streaming'",
        ),
        default=(),
        directive="disable_protocols",
    )
    """Transports that are not offered, by SockJS's names."""

    frame_options: str = _pages(
        Rule(
            read_frame_options,
            "allow, deny, sameorigin, or allow-from with the address of a site",
            "sameorigin",
        ),
        default="allow",
        directive="frame_options",
    )
    """Which sites may show the app in a frame: all, none, its own, or a given one.

    It becomes ``X-Frame-Options`` of the app's answers. For a given site, which browsers no longer
    read there, it becomes ``frame-ancestors`` of ``Content-Security-Policy``.
    """
    google_analytics_id: str = _pages(
        text(r"[A-Za-z0-9_-]{0,64}", "an id of Google Analytics", "G-ABC123"),
        default="",
        directive="google_analytics_id",
    )
    """Google Analytics counts the app's pages under this id.

    Each page gets its script: the old one for ``UA-…``, and gtag for any other id.
    """
    whitelist_headers: tuple[str, ...] = _pages(
        Rule(
            read_headers,
            f"at most {MOST_HEADERS} names of HTTP headers, with hyphens and without underscores, "
            "none that describes the connection or the body",
            "'X-Role X-Team'",
        ),
        default=(),
        directive="whitelist_headers",
        see="author.md#headers-and-cookies",
    )
    """Headers of a visitor's requests that the app gets beside the usual ones.

    A Shiny app finds ``X-Role`` in ``session$request$HTTP_X_ROLE``. A browser can send any header:
    believe one only if a proxy sets it that nobody can go around.
    """
    set_header: Mapping[str, str] = _pages(
        names_to(
            HEADER,
            r"[\x20-\x7e]{1,1000}",
            "names and values of HTTP headers, none that describes the answer itself",
            "'Referrer-Policy=no-referrer'",
            4096,
        ),
        default_factory=dict,
        within=OPERATORS,
        directive="set_header",
    )
    """Headers of every answer that does not have them itself.

    Answers that are too large for a Lambda go by S3, without them.
    """

    @property
    def worker_limits(self) -> WorkerLimits:
        """How sessions are spread, whichever settings define it."""
        return WorkerLimits.of(
            self.simple_scheduler,
            self.utilization_scheduler,
            self.max_connections,
            self.worker_load_factor,
            self.max_worker_processes,
        )

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "AppSettings":
        """Read values as they stand in one layer, or in several that were merged.

        Raise :class:`BadAppSetting` that names the setting, its rule and an example.
        """
        parsed = {name: read(name, value) for name, value in values.items()}
        settings = cls(**parsed)
        app_conflicts.check(settings, parsed.keys())
        return settings


DECLARED = declared(AppSettings)
"""The declarations of apps' settings, by name."""
MAPS = tuple(one.name for one in fields(AppSettings) if one.default_factory is dict)
"""Settings that map names to values."""


def read(name: str, value: Any) -> Any:
    """Read the value of one setting; raise :class:`BadAppSetting`."""
    rule = DECLARED[name].rule if name in DECLARED else None
    if rule is None:
        raise BadAppSetting(no_setting(name, sorted(DECLARED)))
    try:
        return rule.read(value)
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
