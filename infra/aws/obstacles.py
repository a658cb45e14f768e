"""Find what keeps an account from being deployed to, before anything is made.

The checks cost nothing and change nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from infra.aws.settings import Stage

FEWEST_AT_ONCE = 100
"""Functions that Lambda should be able to run at once.

It is enough for a first page with its files, twice, beside sockets and schedules. AWS also lets
nobody reserve any of an account's last hundred.
"""
MOST_LOG_POLICIES = 10
"""Largest number of CloudWatch Logs resource policies in a region of an account."""
FARGATE_ZONES = {
    "ap-northeast-1": frozenset({"apne1-az1", "apne1-az2", "apne1-az4"}),
    "us-west-1": frozenset({"usw1-az1", "usw1-az3"}),
}
"""Ids of the zones with Fargate, for regions where some zones lack it."""
WITHOUT_ALL_SERVICES = frozenset({"use1-az3"})
"""Ids of zones that lack newer services."""


def too_few_at_once(limit: int, stage: Stage) -> str | None:
    """Return a complaint if Lambda may run fewer functions at once than pages need, else None.

    ``limit`` is the account's in the stage's region. This function is pure.
    """
    if limit >= FEWEST_AT_ONCE:
        return None
    return (
        f"Lambda runs at most {limit} functions at once in this account, in "
        f"{stage.region}, and Sheen needs {FEWEST_AT_ONCE}: each file of a page "
        "is one, and those over the limit fail. Ask for more under Service Quotas → AWS "
        "Lambda → Concurrent executions: aws "
        "service-quotas request-service-quota-increase --service-code lambda "
        "--quota-code L-B99A9384 --desired-value 1000 "
        f"--region {stage.region}"
    )


def log_policies_used_up(names: Sequence[str], own: str) -> str | None:
    """Return a complaint if CloudWatch Logs accepts no further resource policy, else None.

    ``own`` is the stage's policy. This function is pure.
    """
    if own in names or len(names) < MOST_LOG_POLICIES:
        return None
    return (
        f"CloudWatch Logs has {len(names)} resource policies here, and takes no more: the "
        f"deployment needs one, {own}. Delete one that "
        "nothing uses any more: aws logs delete-resource-policy --policy-name NAME; "
        f"there are {', '.join(sorted(names))}"
    )


def unfit_zones(zones: Sequence[tuple[str, str]], stage: Stage) -> Iterator[str]:
    """Yield the zones of the stage that lack a service that Sheen needs.

    ``zones`` holds name and id of each zone of the region. This function is pure.
    """
    ids = dict(zones)
    network, fit = (
        stage.network,
        [name for name, zone_id in zones if _is_fit(zone_id, stage.region)],
    )
    if network.existing is not None:
        setting, names = "network.existing.zones", network.existing.zones
    else:
        setting, names = (
            "network.zone_names",
            network.zone_names or tuple(sorted(ids)[: network.zones]),
        )
    for name in names:
        if name not in ids:
            yield (
                f"{setting}: there is no zone {name} in {stage.region}; there are "
                f"{', '.join(sorted(ids))}"
            )
        elif not _is_fit(ids[name], stage.region):
            yield (
                f"{setting}: {name} is {ids[name]} in this account, where not all "
                "services run that Sheen needs; "
                f"take {network.zones} of {', '.join(sorted(fit))}"
            )


def _is_fit(zone_id: str, region: str) -> bool:
    return zone_id in FARGATE_ZONES.get(region, {zone_id}) and zone_id not in WITHOUT_ALL_SERVICES


def concurrency(client: Any) -> int:
    """Return how many functions the account may run at once; ``client`` is boto3's for Lambda."""
    return int(client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"])


def log_policies(client: Any) -> list[str]:
    """Return the names of CloudWatch Logs' resource policies; ``client`` is boto3's for it."""
    return [
        one["policyName"] for one in client.describe_resource_policies(limit=50)["resourcePolicies"]
    ]


def zones(client: Any) -> list[tuple[str, str]]:
    """Return name and id of each zone that the account can use; ``client`` is boto3's for EC2."""
    found = client.describe_availability_zones(
        Filters=[{"Name": "zone-type", "Values": ["availability-zone"]}]
    )["AvailabilityZones"]
    return [(one["ZoneName"], one["ZoneId"]) for one in found if one["State"] == "available"]
