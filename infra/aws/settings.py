"""The settings of a stage, read from ``infra/aws/stages/<stage>.toml``.

Each field is a key of the file, and each nested class a table. ``stages/full.toml`` shows every
one. This module is pure, except for reading the file.
"""

import ipaddress
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chalicelib.configuration import layers
from chalicelib.configuration.app_settings import SIZES
from chalicelib.configuration.declaring import setting
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.repositories import BadIndex, BadRepositories, Indexes, Repositories
from chalicelib.configuration.rules import Rule, that
from infra.aws.errors import BadStage
from infra.aws.reading import read
from infra.declared.place import (
    LARGEST_SIZE,
    LONGEST_IDLE,
    MOST_INSTANCES_PER_APP,
    PYTHON_REPOSITORIES,
    REPOSITORIES,
)

STAGES = Path(__file__).with_name("stages")
RETENTIONS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
"""Numbers of days for which CloudWatch Logs can keep events."""


def _matches(pattern: str, words: str) -> Rule:
    return that(lambda text: re.fullmatch(pattern, text) is not None, words)


def _between(low: float, high: float, what: str = "") -> Rule:
    return that(lambda number: low <= number <= high, f"{low} to {high}{what}")


def _each(rule: Rule, at_least: int = 0) -> Rule:
    return that(
        lambda many: len(many) >= at_least and all(rule.allows(one) for one in many),
        f"{f'{at_least} or more, ' if at_least else ''}each {rule.words}",
    )


def _is_network(text: str, prefixes: Iterable[int]) -> bool:
    try:
        return ipaddress.ip_network(text).prefixlen in prefixes
    except ValueError:
        return False


def _are_repositories(urls: tuple[str, ...]) -> bool:
    try:
        Repositories.parse(" ".join(urls))
    except BadRepositories:
        return False
    return True


def _are_indexes(urls: tuple[str, ...]) -> bool:
    try:
        Indexes.parse(" ".join(urls))
    except BadIndex:
        return False
    return True


_NAME = _matches(
    r"[a-z][a-z0-9-]{0,19}", "at most 20 lower-case letters, digits and hyphens, a letter first"
)
_REGION = _matches(r"[a-z]{2}(-[a-z]+)+-\d", "a region such as eu-central-1")
_ZONE = _matches(r"[a-z0-9-]+[a-z]", "a zone such as eu-central-1a")
_DOMAIN = _matches(
    r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}", "a domain name such as apps.example.org"
)
_BUCKET = _matches(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket's name")
_MAIL = _matches(r"[^@\s]+@[^@\s]+\.[^@\s]+", "a mail address")
_ADDRESSES = that(
    lambda text: _is_network(text, range(1, 129)),
    "a block of addresses such as 192.0.2.0/24 or 192.0.2.7/32",
)


@dataclass(frozen=True, slots=True)
class ExistingNetwork:
    """A VPC that already exists."""

    vpc: str = setting(_matches(r"vpc-[0-9a-f]+", "a VPC's id, vpc-…"))
    """The VPC's id."""
    zones: tuple[str, ...] = setting(_each(_ZONE, 2))
    """Its zones, each once."""
    public_subnets: tuple[str, ...] = setting(
        _each(_matches(r"subnet-[0-9a-f]+", "a subnet's id, subnet-…"), 2)
    )
    """For tasks, one per zone, in the zones' order; routed to an internet gateway."""
    isolated_subnets: tuple[str, ...] = setting(
        _each(_matches(r"subnet-[0-9a-f]+", "a subnet's id, subnet-…"), 2)
    )
    """For the functions that talk to agents, one per zone, in the zones' order.

    Their route tables need the gateway endpoints of S3 and DynamoDB.
    """


@dataclass(frozen=True, slots=True)
class Network:
    """The network of the tasks and of the functions that talk to them."""

    zones: int = setting(_between(2, 3), default=2)
    """Number of zones.

    They are the region's first, unless :attr:`zone_names` lists them.
    """
    zone_names: tuple[str, ...] = setting(_each(_ZONE, 2), default=())
    """Names of the zones, if the first ones lack a service.

    The names must not change after the first deployment, because the file system is in these zones.
    """
    cidr: str = setting(
        that(
            lambda text: _is_network(text, range(16, 25)),
            "a block of addresses of /16 to /24, such as 10.77.0.0/20",
        ),
        default="10.77.0.0/20",
    )
    """Addresses of the VPC."""
    flow_logs: bool = False
    """Record connections in CloudWatch Logs; the price depends on traffic."""
    existing: ExistingNetwork | None = None
    """Use this VPC instead of one of Sheen's own."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Bucket, tables and file system."""

    bucket: str = setting(_BUCKET, default="")
    """Name of the bucket.

    Such names must be globally unique. By default it is made of the stage, the account and the
    region.
    """
    customer_key: bool = False
    """Encrypt with a KMS key of this deployment instead of AWS's keys.

    It costs a dollar a month, and its use is logged.
    """
    old_versions_days: int = setting(_between(1, 3650, " days"), default=30)
    """Days for which the bucket keeps what was overwritten or deleted."""
    transfer_mode: str = setting(
        that(("basic", "enhanced").__contains__, "basic or enhanced"), default="basic"
    )
    """DataSync's mode for syncs.

    Enhanced mode is faster, takes any number of files, and counts the files that failed. Each run
    costs $0.55.
    """
    backups: bool = True
    """Whether AWS Backup copies the file system every day, and keeps each copy for 35 days."""


@dataclass(frozen=True, slots=True)
class DataBucket:
    """A bucket of another account that syncs read."""

    name: str = setting(_BUCKET)
    """The bucket's name."""
    prefix: str = setting(
        _matches(
            r"([^/*?$\s][^*?$\s]*/)?",
            "the beginning of keys that ends with a slash, such as stations/",
        ),
        default="",
    )
    """Prefix that syncs may read below; empty means the whole bucket."""
    key: str = setting(
        _matches(r"arn:aws:kms:[a-z0-9-]+:\d{12}:key/[\w-]+", "a KMS key's ARN"), default=""
    )
    """The KMS key that the bucket's objects are encrypted with, if any."""


@dataclass(frozen=True, slots=True)
class Compute:
    """How R runs."""

    spot: bool = False
    """Run instances on Fargate Spot, which is about 70 % cheaper.

    AWS may stop an instance with two minutes' notice, which ends its sessions. Builds never run on
    Spot.
    """
    exec: bool = False
    """Let operators open a shell in a task by ECS Exec.

    This makes the root file systems of the tasks writable, because ECS Exec needs that.
    """
    insights: bool = False
    """Enable CloudWatch Container Insights; the price depends on the number of tasks."""
    image_packages: str = setting(_matches(r"https://\S+", "an https:// URL"), default="")
    """A CRAN-like repository, instead of Debian, for the image's own R packages."""
    image_fonts: tuple[str, ...] = setting(
        _each(
            _matches(
                r"(fonts|xfonts|ttf)-[a-z0-9][a-z0-9.+-]*",
                "a package of fonts of Debian such as fonts-noto-cjk",
            )
        ),
        default=(),
    )
    """Fonts for text in plots, in addition to DejaVu's."""
    images_kept: int = setting(_between(2, 100), default=3)
    """Number of newest releases of the images that the repository keeps."""
    low_concurrency: bool = False
    """Deploy even if Lambda may run fewer than a hundred functions at once in this account.

    New accounts have such a limit. It is enough to try Sheen alone.
    """
    bundle_gb: int = setting(_between(1, 5), default=1)
    """Largest size of a bundle in GB, packed and unpacked."""
    most_instances: int = setting(_between(0, 5000), default=100)
    """Largest number of instances at once, of all apps and including spares.

    With 0, only Fargate's quota limits them.
    """
    most_held_requests: int = setting(_between(0, 500), default=5)
    """Largest number of requests of programs that wait at once for apps to start.

    Each takes one of Lambda's concurrent executions for up to 25 seconds. With 0, none waits.
    """
    repositories: tuple[str, ...] = setting(
        that(
            _are_repositories,
            "a list of URLs of repositories, or of what lock files may name as in "
            "https://snapshots.example.org/*",
        ),
        default=(REPOSITORIES,),
    )
    """Sources of R packages for builds, in order; empty means only those of the image."""
    python_repositories: tuple[str, ...] = setting(
        that(
            _are_indexes,
            "a list of https URLs of package indexes, as in https://python.example.org/simple",
        ),
        default=(PYTHON_REPOSITORIES,),
    )
    """Sources of Python packages for builds; empty means only those of the image."""
    spares: Mapping[str, int] = setting(
        that(
            lambda spares: all(size in SIZES and 0 < count <= 20 for size, count in spares.items()),
            f"of {', '.join(SIZES)}, 1 to 20 each",
        ),
        default_factory=dict,
    )
    """Size → number of running, paid tasks that wait for first visitors."""
    largest_size: str = setting(
        that(SIZES.__contains__, f"one of {', '.join(SIZES)}"), default=LARGEST_SIZE
    )
    """The largest ``size`` that an app may have, whatever its author asks for."""
    most_instances_per_app: int = setting(_between(1, 100), default=MOST_INSTANCES_PER_APP)
    """The largest ``max_instances`` that an app may have."""
    longest_idle: float = setting(
        _between(0, 30 * 86400, " seconds, 0 for any time"), default=LONGEST_IDLE
    )
    """The longest ``instance_idle_timeout`` that an app may have."""


@dataclass(frozen=True, slots=True)
class Waf:
    """AWS WAF in front of CloudFront and of the REST API behind it; from about $14 a month."""

    allowed_ips: tuple[str, ...] = setting(_each(_ADDRESSES), default=())
    """Addresses that may come; empty means all."""
    requests_per_5_minutes: int = setting(_between(100, 2_000_000), default=3000)
    """Limit per address; requests above it are refused until the rate falls."""
    reputation: bool = True
    """Refuse addresses on AWS's list of known attackers."""


MOST_DOMAINS = 9
"""A certificate has at most ten names, unless AWS raises the quota."""


@dataclass(frozen=True, slots=True)
class Edge:
    """CloudFront: one domain for pages and sockets."""

    domain: str = setting(_DOMAIN)
    """The domain of all apps."""
    domains: tuple[str, ...] = setting(_each(_DOMAIN), default=())
    """More domains that lead here: of apps with one of their own, or a `server_name`'s.

    Those in the zone get their DNS records. For others, the deployment waits for the record that
    ACM asks for, and you point the domain at the distribution.
    """
    zone: str = setting(_DOMAIN, default="")
    """The Route 53 zone that the domain is in; by default the domain's own."""
    zone_id: str = setting(_matches(r"Z[A-Z0-9]+", "a hosted zone's id, Z…"), default="")
    """Id of the zone if it exists.

    Otherwise the zone is made, and the parent zone must delegate to it.
    """
    price_class: str = setting(
        that(("100", "200", "all").__contains__, "100, 200 or all"), default="100"
    )
    """Which of the world's edge locations CloudFront uses."""
    countries: tuple[str, ...] = setting(
        _each(_matches(r"[A-Z]{2}", "a country's code such as DE")), default=()
    )
    """Countries that visitors may come from; empty means all."""
    access_logs: bool = False
    """Write CloudFront's log of requests to CloudWatch Logs."""
    waf: Waf | None = None

    def is_in_zone(self, domain: str) -> bool:
        """Return whether a domain's records are in the zone."""
        zone = self.zone or self.domain
        return domain == zone or domain.endswith(f".{zone}")


@dataclass(frozen=True, slots=True)
class Alarms:
    """The address that gets the alarms."""

    mail: str = setting(_MAIL, default="")
    """The address that gets the alarms; empty means none."""
    monthly_budget_usd: float = setting(_between(0, 1_000_000), default=0.0)
    """Send mail when the month's bill, actual or forecast, exceeds this; 0 disables the alarm."""
    budget_of_account: bool = False
    """Whether the budget covers the whole account, not only what has the tag ``stage``."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates that the APIs accept from all visitors together.

    Requests above them are answered with 429, which costs nothing. Browsers try again.
    """

    requests_per_second: int = setting(_between(1, 10_000), default=500)
    """Pages, files and uploads; everything except WebSockets."""
    request_burst: int = setting(_between(1, 5_000), default=1000)
    """Number of requests that may come at once."""
    messages_per_second: int = setting(_between(1, 10_000), default=2000)
    """WebSockets opened, plus frames from browsers.

    A visitor who moves a slider sends some ten a second.
    """
    message_burst: int = setting(_between(1, 5_000), default=4000)
    """Number of messages that may come at once."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One deployment, named like its file."""

    name: str
    region: str = setting(_REGION)
    """The region of AWS that it is in."""
    tags: Mapping[str, str] = setting(
        that(
            lambda tags: not {"application", "stage"} & tags.keys(),
            "a table without application and stage, which Sheen sets itself",
        ),
        default_factory=dict,
    )
    """Tags of everything that can have tags, beside ``application`` and ``stage``."""
    permissions_boundary: str = setting(
        _matches(r"[\w+=,.@/-]{1,128}", "the name of a policy of the account"), default=""
    )
    """A policy that bounds every role of the deployment."""
    protected: bool = True
    """Stacks and kept tables refuse to be deleted until this is false and deployed."""
    log_retention_days: int = setting(
        that(RETENTIONS.__contains__, f"one of {', '.join(map(str, RETENTIONS))}"), default=30
    )
    """Days for which CloudWatch Logs keeps what is logged."""
    app_defaults: Mapping[str, Any] = setting(default_factory=dict)
    """What holds for all apps, by the names of apps' settings; bundles and apps override it."""
    network: Network = field(default_factory=Network)
    storage: Storage = field(default_factory=Storage)
    data: tuple[DataBucket, ...] = ()
    compute: Compute = field(default_factory=Compute)
    throttle: Rates = field(default_factory=Rates)
    edge: Edge | None = None
    alarms: Alarms = field(default_factory=Alarms)

    @property
    def base(self) -> str:
        """The prefix of the names of everything that is deployed."""
        return f"sheen-{self.name}"


def stages() -> list[str]:
    """Return the stages that have a settings file."""
    return sorted(path.stem for path in STAGES.glob("*.toml"))


def load(name: str, folder: Path = STAGES) -> Stage:
    """Read a stage's settings; raise :class:`BadStage`, which names file, key, value and rule."""
    path = folder / f"{name}.toml"
    try:
        text = path.read_text()
    except FileNotFoundError:
        there = ", ".join(sorted(one.stem for one in folder.glob("*.toml"))) or "none"
        raise BadStage(
            f"stage {name}: there is no {path}; stages are {there}. Copy one to begin with"
        ) from None
    return parse(name, text, str(path))


def parse(name: str, text: str, file: str) -> Stage:
    """Read the text of a settings file; raise :class:`BadStage`."""
    if not _NAME.allows(name) or name == "local":
        raise BadStage(
            f"{file}: a stage's name is its file's; {name!r} must be {_NAME.words}, and not local"
        )
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadStage(f"{file}: {error}") from None
    if "name" in table:
        raise BadStage(f"{file}: a stage's name is its file's; take name = {table['name']!r} out")
    stage = read(Stage, {"name": name, **table}, file)
    _check_together(stage, file)
    return stage


def _check_together(stage: Stage, file: str) -> None:
    try:
        layers.check_defaults(stage.app_defaults)
    except BadAppSetting as error:
        raise BadStage(f"{file}: app_defaults: {error}") from None
    existing, names = stage.network.existing, stage.network.zone_names
    if names and len(set(names)) != stage.network.zones:
        rule = f"it must be {stage.network.zones} zones (network.zones), each once"
        raise BadStage(f"{file}: network.zone_names is {', '.join(names)}; {rule}")
    if existing is not None:
        if len(set(existing.zones)) != len(existing.zones):
            raise BadStage(
                f"{file}: network.existing.zones is {', '.join(existing.zones)}; it must "
                "name each zone once"
            )
        for key, subnets in (
            ("public_subnets", existing.public_subnets),
            ("isolated_subnets", existing.isolated_subnets),
        ):
            if len(subnets) != len(existing.zones):
                raise BadStage(
                    f"{file}: network.existing.{key} has {len(subnets)} subnets for "
                    f"{len(existing.zones)} zones; it must have one in each"
                )
    edge = stage.edge
    if (
        edge is not None
        and edge.zone
        and edge.domain != edge.zone
        and not edge.domain.endswith(f".{edge.zone}")
    ):
        raise BadStage(
            f"{file}: edge.domain is {edge.domain!r}; it must be {edge.zone} (edge.zone) "
            f"or end in .{edge.zone}"
        )
    if edge is not None and len(edge.domains) > MOST_DOMAINS:
        raise BadStage(
            f"{file}: edge.domains has {len(edge.domains)} domains; one certificate has at most "
            f"{MOST_DOMAINS} besides edge.domain"
        )
    if edge is not None and len({edge.domain, *edge.domains}) <= len(edge.domains):
        raise BadStage(
            f"{file}: edge.domains repeats a domain; name each once, without edge.domain"
        )
    if edge is not None and edge.countries and edge.waf is None:
        raise BadStage(
            f"{file}: edge.countries is set without [edge.waf]: visitors of other "
            "countries would come by the REST API's own URL, "
            "which only the firewall closes"
        )
    if stage.alarms.monthly_budget_usd and not stage.alarms.mail:
        raise BadStage(
            f"{file}: alarms.monthly_budget_usd is set; alarms.mail must say who is told"
        )
