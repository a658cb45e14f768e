"""AWS WAF: which visitors may come, and how often.

Its rules guard CloudFront. The REST API behind accepts only requests that came through CloudFront.

A firewall cannot protect WebSockets (FACTS W9). They need none: a socket shows a ticket, which only
a page can have issued.
"""

from typing import Any

from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from chalicelib.visits.request import EDGE_HEADER
from infra.aws.place import API_STAGE
from infra.aws.settings import Stage, Waf
from infra.aws.stacks.base import SheenStack

_WINDOW_SECONDS = 300


def for_visitors(stack: SheenStack, settings: Waf) -> wafv2.CfnWebACL:
    """Add the firewall of a distribution; the stack must be in us-east-1."""
    base = stack.stage.base
    rules: list[dict[str, Any]] = []
    if settings.allowed_ips:
        sets = [
            wafv2.CfnIPSet(
                stack,
                f"Allowed{version}",
                name=f"{base}-allowed-{version.lower()}",
                scope="CLOUDFRONT",
                ip_address_version=version,
                addresses=[
                    address
                    for address in settings.allowed_ips
                    if (":" in address) is (version == "IPV6")
                ],
            )
            for version in ("IPV4", "IPV6")
        ]
        among = [{"ipSetReferenceStatement": {"arn": each.attr_arn}} for each in sets]
        rules.append(
            {
                "name": "others",
                "action": {"block": {}},
                "statement": {
                    "notStatement": {"statement": {"orStatement": {"statements": among}}}
                },
            }
        )
    if settings.reputation:
        group = {"vendorName": "AWS", "name": "AWSManagedRulesAmazonIpReputationList"}
        rules.append(
            {
                "name": "reputation",
                "overrideAction": {"none": {}},
                "statement": {"managedRuleGroupStatement": group},
            }
        )
    rate = {
        "limit": settings.requests_per_5_minutes,
        "evaluationWindowSec": _WINDOW_SECONDS,
        "aggregateKeyType": "IP",
    }
    too_many = {"block": {"customResponse": {"responseCode": 429}}}
    rules.append({"name": "rate", "action": too_many, "statement": {"rateBasedStatement": rate}})
    return wafv2.CfnWebACL(
        stack,
        "Firewall",
        name=f"{base}-visitors",
        scope="CLOUDFRONT",
        default_action={"allow": {}},
        rules=[
            {**rule, "priority": index, "visibilityConfig": _seen(rule["name"])}
            for index, rule in enumerate(rules)
        ],
        visibility_config=_seen("visitors"),
    )


class GuardStack(SheenStack):
    """Keep visitors from bypassing CloudFront and calling the REST API directly."""

    def __init__(self, scope: Construct, stage: Stage) -> None:
        super().__init__(scope, stage, "guard", "the REST API takes only what came by CloudFront")
        rest, secret = (
            self.told("RestApi", "The REST API's id"),
            self.told("EdgeSecret", f"The value of {EDGE_HEADER}", secret=True),
        )
        came_by_cloudfront = {
            "fieldToMatch": {"singleHeader": {"Name": EDGE_HEADER}},
            "positionalConstraint": "EXACTLY",
            "searchString": secret,
            "textTransformations": [{"priority": 0, "type": "NONE"}],
        }
        firewall = wafv2.CfnWebACL(
            self,
            "Firewall",
            name=f"{stage.base}-origin",
            scope="REGIONAL",
            default_action={"block": {}},
            rules=[
                {
                    "name": "edge",
                    "priority": 0,
                    "action": {"allow": {}},
                    "statement": {"byteMatchStatement": came_by_cloudfront},
                    "visibilityConfig": _seen("edge"),
                }
            ],
            visibility_config=_seen("origin"),
        )
        wafv2.CfnWebACLAssociation(
            self,
            "Association",
            web_acl_arn=firewall.attr_arn,
            resource_arn=f"arn:aws:apigateway:{stage.region}::/restapis/{rest}/stages/{API_STAGE}",
        )


def _seen(name: str) -> dict[str, Any]:
    return {"cloudWatchMetricsEnabled": True, "metricName": name, "sampledRequestsEnabled": True}
