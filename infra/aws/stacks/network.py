"""The network of the tasks and of the functions that talk to them.

It has no NAT gateway, no interface endpoint and no load balancer (FACTS E6b).
"""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from chalicelib.agents import protocol
from infra.aws.settings import Stage
from infra.aws.stacks.base import SheenStack, accept, log_group
from infra.declared.rights import SOURCE_ACCOUNT

HTTPS, NFS = 443, 2049


class NetworkStack(SheenStack):
    """The VPC, or the existing one, and the security groups."""

    def __init__(self, scope: Construct, stage: Stage) -> None:
        super().__init__(scope, stage, "network", "VPC, subnets, security groups")
        self.vpc = self._existing() if stage.network.existing else self._own()
        self.public = self.vpc.select_subnets(subnet_type=ec2.SubnetType.PUBLIC)
        self.isolated = self.vpc.select_subnets(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self.functions_group = self._group("Functions", "Functions that talk to agents")
        self.tasks_group = self._group("Tasks", "Instances and one-shot tasks", all_outbound=True)
        self.files_group = self._group("Files", "Mount targets of the file system")
        self._connect()
        self.tell("TaskSubnets", cdk.Fn.join(",", self.public.subnet_ids), "Where tasks run")
        self.tell(
            "FunctionSubnets",
            cdk.Fn.join(",", self.isolated.subnet_ids),
            "Where functions run that talk to agents",
        )
        self.tell("TaskSecurityGroup", self.tasks_group.security_group_id, "Of tasks")
        self.tell(
            "FunctionSecurityGroup",
            self.functions_group.security_group_id,
            "Of functions that talk to agents",
        )

    def _existing(self) -> ec2.IVpc:
        existing = self.stage.network.existing
        assert existing is not None
        return ec2.Vpc.from_vpc_attributes(
            self,
            "Vpc",
            vpc_id=existing.vpc,
            availability_zones=list(existing.zones),
            public_subnet_ids=list(existing.public_subnets),
            isolated_subnet_ids=list(existing.isolated_subnets),
        )

    def _own(self) -> ec2.Vpc:
        network = self.stage.network
        # The operator names the zones, although cfn-lint advises against naming zones.
        if network.zone_names:
            self.template_options.metadata = {"cfn-lint": {"config": {"ignore_checks": ["W3010"]}}}
        vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(network.cidr),
            availability_zones=list(network.zone_names)
            or [cdk.Fn.select(index, cdk.Fn.get_azs()) for index in range(network.zones)],
            nat_gateways=0,
            # Restricting it would take a Lambda of CDK's own, and nothing ever uses that group.
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="Tasks", subnet_type=ec2.SubnetType.PUBLIC, map_public_ip_on_launch=False
                ),
                ec2.SubnetConfiguration(
                    name="Functions", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED
                ),
            ],
        )
        # Never add an endpoint of execute-api: posts to browsers would fail (FACTS W10).
        vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        vpc.add_gateway_endpoint("DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
        if network.flow_logs:
            self._add_flow_logs(vpc)
        else:
            accept(vpc, "VPC7", "Flow logs are a setting, network.flow_logs: they cost by traffic")
        return vpc

    def _add_flow_logs(self, vpc: ec2.Vpc) -> None:
        group = log_group(self, "FlowLogGroup", f"/sheen/{self.stage.name}/flows")
        service = iam.ServicePrincipal(
            "vpc-flow-logs.amazonaws.com",
            conditions={"StringEquals": {SOURCE_ACCOUNT: self.account}},
        )
        role = iam.Role(self, "FlowLogRole", assumed_by=service)
        vpc.add_flow_log(
            "FlowLog", destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role)
        )

    def _group(
        self, name: str, description: str, *, all_outbound: bool = False
    ) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self,
            f"{name}Group",
            vpc=self.vpc,
            security_group_name=f"{self.stage.base}-{name.lower()}",
            description=description,
            allow_all_outbound=all_outbound,
            disable_inline_rules=True,
        )

    def _connect(self) -> None:
        agent = ec2.Port.tcp(protocol.PORT)
        self.tasks_group.add_ingress_rule(self.functions_group, agent, "Functions to agents")
        self.functions_group.add_egress_rule(self.tasks_group, agent, "Functions to agents")
        # The subnets have no way out but the gateway endpoints of S3 and DynamoDB, whose addresses
        # differ by region.
        self.functions_group.add_egress_rule(
            ec2.Peer.any_ipv4(), ec2.Port.tcp(HTTPS), "DynamoDB and S3, by gateway endpoints"
        )
        self.files_group.add_ingress_rule(
            self.tasks_group, ec2.Port.tcp(NFS), "Tasks to the file system"
        )
