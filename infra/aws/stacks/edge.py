"""One domain for pages and sockets: CloudFront in front of both APIs.

The APIs cannot share a domain of their own (FACTS W9). Everything here is in us-east-1, where
CloudFront looks for its certificate and its WAF.
"""

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct

from chalicelib.visits.request import EDGE_HEADER
from infra.aws.place import API_STAGE
from infra.aws.settings import Edge as EdgeSettings
from infra.aws.settings import Stage
from infra.aws.stacks.base import SheenStack, accept, log_group
from infra.aws.stacks.firewall import for_visitors

REGION = "us-east-1"
_TELL_HOST = """\
function handler(event) {
    event.request.headers['x-forwarded-host'] = { value: event.request.headers.host.value };
    return event.request;
}
"""
_PRICE_CLASSES = {
    "100": cloudfront.PriceClass.PRICE_CLASS_100,
    "200": cloudfront.PriceClass.PRICE_CLASS_200,
    "all": cloudfront.PriceClass.PRICE_CLASS_ALL,
}


class ZoneStack(SheenStack):
    """A hosted zone of Sheen's own, which the parent zone must delegate to.

    It has its own stack because the certificate waits for the delegation.
    """

    def __init__(self, scope: Construct, stage: Stage, edge: EdgeSettings) -> None:
        super().__init__(scope, stage, "zone", "Route 53 zone", region=REGION)
        zone = route53.PublicHostedZone(self, "Zone", zone_name=edge.zone or edge.domain)
        # A new zone would have other name servers.
        zone.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        self.zone: route53.IHostedZone = zone
        assert zone.hosted_zone_name_servers
        self.tell(
            "NameServers",
            cdk.Fn.join(" ", zone.hosted_zone_name_servers),
            "Delegate the zone to these",
        )


class EdgeStack(SheenStack):
    """Distribution, certificate, DNS names and firewall."""

    def __init__(
        self, scope: Construct, stage: Stage, edge: EdgeSettings, zone: route53.IHostedZone | None
    ) -> None:
        super().__init__(
            scope, stage, "edge", "CloudFront, certificate, domain, firewall", region=REGION
        )
        self._edge = edge
        rest, sockets = (
            self.told("RestApi", "The REST API's id"),
            self.told("WebsocketApi", "The WebSocket API's id"),
        )
        secret = self.told(
            "EdgeSecret",
            f"The value of {EDGE_HEADER}, which only CloudFront and the REST API's firewall know",
            secret=True,
        )
        zone = zone or route53.HostedZone.from_hosted_zone_attributes(
            self, "Zone", hosted_zone_id=edge.zone_id, zone_name=edge.zone or edge.domain
        )
        firewall = for_visitors(self, edge.waf) if edge.waf else None
        self.distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"Sheen, stage {stage.name}",
            domain_names=[edge.domain, *edge.domains],
            certificate=acm.Certificate(
                self,
                "Certificate",
                domain_name=edge.domain,
                subject_alternative_names=list(edge.domains) or None,
                validation=acm.CertificateValidation.from_dns_multi_zone(
                    dict.fromkeys(filter(edge.is_in_zone, (edge.domain, *edge.domains)), zone)
                ),
            ),
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
            # A WebSocket is an HTTP/1.1 upgrade. Browsers open it beside the page's HTTP/2
            # connection.
            http_version=cloudfront.HttpVersion.HTTP2,
            price_class=_PRICE_CLASSES[edge.price_class],
            geo_restriction=cloudfront.GeoRestriction.allowlist(*edge.countries)
            if edge.countries
            else None,
            web_acl_id=firewall.attr_arn if firewall else None,
            default_behavior=self._behaviour(
                self._origin(rest, f"/{API_STAGE}", secret), self._tell_host()
            ),
            additional_behaviors={
                f"/{API_STAGE}": self._behaviour(self._origin(sockets, "", secret))
            },
        )
        self._add_names(zone)
        if edge.access_logs:
            self._add_access_logs()
        self._accept(firewalled=firewall is not None)
        self.tell("Url", f"https://{edge.domain}", "Where visitors come")
        if edge.domains:
            self.tell(
                "DistributionDomain",
                self.distribution.distribution_domain_name,
                "Where domains outside of the zone point, by a CNAME record",
            )

    def _origin(self, api: str, path: str, secret: str) -> origins.HttpOrigin:
        return origins.HttpOrigin(
            f"{api}.execute-api.{self.stage.region}.amazonaws.com",
            origin_path=path or None,
            protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
            origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
            read_timeout=cdk.Duration.seconds(30),  # API Gateway's own is 29 s (FACTS H1)
            keepalive_timeout=cdk.Duration.seconds(60),
            custom_headers={EDGE_HEADER: secret},
        )

    def _tell_host(self) -> cloudfront.FunctionAssociation:
        """Pass the visitor's host in a header of its own.

        API Gateway must see its own name as the host. The function overwrites whatever the visitor
        sends in that header.
        """
        function = cloudfront.Function(
            self,
            "TellHost",
            function_name=f"{self.stage.base}-tell-host",
            runtime=cloudfront.FunctionRuntime.JS_2_0,
            comment="x-forwarded-host is the host that the visitor asked",
            code=cloudfront.FunctionCode.from_inline(_TELL_HOST),
        )
        return cloudfront.FunctionAssociation(
            event_type=cloudfront.FunctionEventType.VIEWER_REQUEST, function=function
        )

    def _behaviour(
        self, origin: origins.HttpOrigin, *functions: cloudfront.FunctionAssociation
    ) -> cloudfront.BehaviorOptions:
        return cloudfront.BehaviorOptions(
            origin=origin,
            allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
            cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
            origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
            compress=False,
            function_associations=list(functions) or None,
        )

    def _add_names(self, zone: route53.IHostedZone) -> None:
        target = route53.RecordTarget.from_alias(targets.CloudFrontTarget(self.distribution))
        route53.ARecord(
            self, "Address", zone=zone, record_name=self._edge.domain + ".", target=target
        )
        route53.AaaaRecord(
            self, "AddressV6", zone=zone, record_name=self._edge.domain + ".", target=target
        )
        for domain in filter(self._edge.is_in_zone, self._edge.domains):
            name, record = domain.title().replace(".", "").replace("-", ""), f"{domain}."
            route53.ARecord(self, f"Address{name}", zone=zone, record_name=record, target=target)
            route53.AaaaRecord(
                self, f"AddressV6{name}", zone=zone, record_name=record, target=target
            )

    def _add_access_logs(self) -> None:
        group = log_group(self, "AccessLog", f"/aws/vendedlogs/{self.stage.base}-visits")
        source = logs.CfnDeliverySource(
            self,
            "AccessLogSource",
            name=f"{self.stage.base}-visits",
            log_type="ACCESS_LOGS",
            resource_arn=f"arn:aws:cloudfront::{self.account}:distribution/{self.distribution.distribution_id}",
        )
        destination = logs.CfnDeliveryDestination(
            self,
            "AccessLogDestination",
            name=f"{self.stage.base}-visits",
            destination_resource_arn=group.log_group_arn,
            output_format="json",
        )
        delivery = logs.CfnDelivery(
            self,
            "AccessLogDelivery",
            delivery_source_name=source.name,
            delivery_destination_arn=destination.attr_arn,
        )
        delivery.add_resource_dependency(source)

    def _accept(self, *, firewalled: bool) -> None:
        if not self._edge.countries:
            accept(
                self.distribution,
                "CFR1",
                "Where visitors may come from is a setting, edge.countries",
            )
        if not firewalled:
            accept(
                self.distribution,
                "CFR2",
                "AWS WAF is a setting, edge.waf: it costs from about $14 a month",
            )
        because = (
            "by CloudWatch's deliveries, which the rule does not know"
            if self._edge.access_logs
            else "as a setting, edge.access_logs"
        )
        accept(self.distribution, "CFR3", f"Access is logged {because}")
