"""The costs of a stage, idle and per visitor hour, from its templates and ``prices.toml``.

Idle costs are counted in the templates themselves, so that each further alarm adds its ten cents
here too. This module is pure, except for reading ``prices.toml``.
"""

import ast
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.aws.settings import Stage
from infra.aws.synth import StackTemplate
from infra.declared import MACHINES

PRICES = Path(__file__).with_name("prices.toml")
HOURS_A_MONTH = 730
IMAGES_GB = 0.9
"""GB of the two images in a registry, compressed; the second is based on the first."""
SMALL_GB = 1.0
"""GB of everything that a small deployment keeps: bundles, versions, logs of a month."""
FUNCTION_SECONDS = 0.1
"""Approximate duration of one call of a function."""
COLD_STARTS_A_DAY = 12
"""Cold starts of a function that runs every few minutes.

Lambda renews its environment about every two hours.
"""
MESSAGES_AN_HOUR = 1200
"""Frames of a visitor who works with an app, in both directions.

That is one in three seconds each way, and the frames that go with them.
"""
REQUESTS_AN_HOUR = 60
"""Requests of a visitor for pages, plots and files."""
FRAME_GB, ANSWER_GB = 2e-6, 1e-4
"""Approximate size of a frame, and of a page or file."""
LOG_LINE_GB = 0.5e-6
"""Size of what Lambda and a function log for each call."""
LIBRARY_GB = 0.3
"""GB of packages that R reads until an app with some packages is ready."""
_PAID = {
    "AWS::KMS::Key": ("customer_key_month", "KMS key"),
    "AWS::Route53::HostedZone": ("hosted_zone_month", "hosted zone"),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the bill."""

    what: str
    usd: float


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of one region."""

    date: str
    by_name: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.by_name[name]


def prices(region: str) -> Prices:
    """Read the prices of a region."""
    table = tomllib.loads(PRICES.read_text())
    return Prices(str(table["date"]), {**table["default"], **table.get(region, {})})


def has_prices(region: str) -> bool:
    """Return whether a region has prices of its own."""
    return region == "us-east-1" or region in tomllib.loads(PRICES.read_text())


def idle(
    stage: Stage, templates: Iterable[StackTemplate], price: Prices, schedules: Iterable[str]
) -> list[Item]:
    """Return the costs of a month without visitors.

    ``schedules`` holds the rates at which functions run on a schedule.
    """
    resources = [
        resource for template in templates for resource in template.body["Resources"].values()
    ]
    metrics = sum(1 for resource in resources if resource["Type"] == "AWS::CloudWatch::Alarm")
    each_runs = [_runs_a_month(rate) for rate in schedules]
    runs = sum(each_runs)
    starts = sum(min(one, COLD_STARTS_A_DAY * HOURS_A_MONTH / 24) for one in each_runs)
    releases = stage.compute.images_kept
    each = (
        price["lambda_request"]
        + FUNCTION_SECONDS * 0.25 * price["lambda_gb_second"]
        + 2 * price["dynamodb_read"]
    )
    items = [
        Item(f"{metrics} alarms", metrics * price["alarm_metric_month"]),
        Item(
            f"images of {IMAGES_GB} GB, in {releases} releases that share nothing",
            releases * IMAGES_GB * price["ecr_gb_month"],
        ),
        Item(f"{SMALL_GB:.0f} GB of versions and data on EFS", SMALL_GB * price["efs_gb_month"]),
        Item(f"{SMALL_GB:.0f} GB of bundles on S3", SMALL_GB * price["s3_gb_month"]),
        Item(f"{runs:.0f} runs of functions by schedule", runs * each),
        Item("traces of these runs", runs * price["trace"]),
        # A metric costs money only in hours in which it gets a value.
        Item("counts of their cold starts", starts * price["custom_metric_month"] / HOURS_A_MONTH),
    ]
    if stage.storage.backups:
        items.append(Item(f"{SMALL_GB:.0f} GB of backups", SMALL_GB * price["backup_gb_month"]))
    for kind, (name, what) in _PAID.items():
        if count := sum(1 for resource in resources if resource["Type"] == kind):
            items.append(Item(f"{count} {what}", count * price[name]))
    rules = [
        len(resource["Properties"]["Rules"])
        for resource in resources
        if resource["Type"] == "AWS::WAFv2::WebACL"
    ]
    if rules:
        cost = len(rules) * price["waf_acl_month"] + sum(rules) * price["waf_rule_month"]
        items.append(Item(f"{len(rules)} firewalls of {sum(rules)} rules", cost))
    for size, count in stage.compute.spares.items():
        items.append(
            Item(
                f"{count} spare {size}, running all the time",
                count * HOURS_A_MONTH * machine_hour(stage, price, size),
            )
        )
    return items


def machine_hour(stage: Stage, price: Prices, size: str) -> float:
    """Return the cost of an instance of this size per hour of running."""
    machine = MACHINES[size]
    on_demand = (
        machine.cpu / 1024 * price["fargate_vcpu_hour"]
        + machine.memory_mb / 1024 * price["fargate_gb_hour"]
    )
    share = price["fargate_spot_share"] if stage.compute.spot else 1.0
    return (
        on_demand * share
        + price["public_address_hour"]
        + (price["insights_task_hour"] if stage.compute.insights else 0.0)
    )


def visitor_hour(price: Prices) -> list[Item]:
    """Return the cost of a visitor's hour, without the instance."""
    calls = MESSAGES_AN_HOUR / 2 + REQUESTS_AN_HOUR
    call = price["lambda_request"] + FUNCTION_SECONDS * 0.5 * price["lambda_gb_second"]
    # Every second call goes to another zone.
    across = (MESSAGES_AN_HOUR * FRAME_GB + REQUESTS_AN_HOUR * ANSWER_GB) / 2
    return [
        Item(
            "messages and minutes of its socket",
            MESSAGES_AN_HOUR * price["websocket_message"] + 60 * price["websocket_minute"],
        ),
        Item("runs of functions", calls * call),
        Item(
            "pages and files",
            REQUESTS_AN_HOUR * (price["rest_request"] + 2 * price["dynamodb_read"]),
        ),
        Item("traces of pages and files; frames have none", REQUESTS_AN_HOUR * price["trace"]),
        Item("what functions log", calls * LOG_LINE_GB * price["logs_gb"]),
        Item("traffic between functions and tasks in two zones", across * price["cross_zone_gb"]),
        Item("seats and states", 10 * price["step_transition"] + 20 * price["dynamodb_write"]),
    ]


def start(price: Prices) -> list[Item]:
    """Return the cost of starting an instance, without its running time."""
    return [
        Item(
            f"{LIBRARY_GB * 1000:.0f} MB of the app's packages and files, read from EFS",
            LIBRARY_GB * price["efs_read_gb"],
        ),
        Item("states of its life", 10 * price["step_transition"]),
    ]


def gigabytes(stage: Stage, price: Prices) -> list[Item]:
    """Return the cost of each gigabyte, by its destination."""
    enhanced = stage.storage.transfer_mode == "enhanced"
    copied = price["datasync_enhanced_gb" if enhanced else "datasync_gb"]
    items = [
        Item("sent to visitors", price["transfer_out_gb"]),
        Item("read from EFS", price["efs_read_gb"]),
        Item("written to EFS", price["efs_write_gb"]),
        Item("read from EFS again after 30 days", price["efs_read_gb"] + price["efs_ia_read_gb"]),
        Item("copied by a sync, with its write to EFS", copied + price["efs_write_gb"]),
        Item("logged by apps", price["logs_gb"]),
        Item("between tasks and functions in two zones", price["cross_zone_gb"]),
    ]
    if enhanced:
        items.append(
            Item("each run of a sync in Enhanced mode, of any size", price["datasync_enhanced_run"])
        )
    return items


def schedules_of(app: str) -> list[str]:
    """Return the rates at which functions run on a schedule, from the source of ``app.py``."""
    return [
        decorator.args[0].value
        for node in ast.walk(ast.parse(app))
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr == "schedule"
        and isinstance(decorator.args[0], ast.Constant)
        and isinstance(decorator.args[0].value, str)
    ]


def _runs_a_month(rate: str) -> float:
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", rate)
    if match is None:
        return 0.0  # a cron expression: a few runs a day at most
    return HOURS_A_MONTH * 60 / (int(match[1]) * {"minute": 1, "hour": 60, "day": 1440}[match[2]])
