"""The log groups of functions and tasks; Chalice deploys the functions themselves afterwards."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.aws.place import aws_place
from infra.aws.settings import Stage
from infra.aws.stacks.base import SheenStack, log_group
from infra.declared import Declared, LogGroup
from infra.declared.names import camel


class FunctionsStack(SheenStack):
    """A log group for each function, and the declared ones.

    A function's own role may not create its log group.
    """

    def __init__(self, scope: Construct, stage: Stage, declared: Declared) -> None:
        super().__init__(scope, stage, "functions", "log groups")
        place = aws_place(stage)
        for function in declared.functions:
            name = camel(function.name)
            log_group(self, f"{name}Log", f"/aws/lambda/{place.function_name(function.name)}")
        for group in declared.log_groups:
            created = log_group(
                self,
                f"{group.name.capitalize()}LogGroup",
                place.log_group(group.name),
                group.retention_days,
            )
            if group.service:
                self._let_in(group, created)

    def _let_in(self, group: LogGroup, created: logs.LogGroup) -> None:
        """Let the group's service write to it, on behalf of this account only."""
        document = iam.PolicyDocument(
            statements=[
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal(group.service)],
                    actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                    resources=[created.log_group_arn],
                    conditions={"StringEquals": {"aws:SourceAccount": self.account}},
                )
            ]
        )
        logs.CfnResourcePolicy(
            self,
            f"{group.name.capitalize()}LogPolicy",
            policy_name=f"{self.stage.base}-{group.name}",
            policy_document=self.to_json_string(document),
        )
