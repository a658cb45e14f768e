"""What all stacks share."""

import aws_cdk as cdk
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct

from infra.aws.settings import Stage


class SheenStack(cdk.Stack):
    """A stack ``sheen-<stage>-<name>`` without assets, so that its template is all there is to it, and needs no bootstrapped account."""

    def __init__(self, scope: Construct, stage: Stage, name: str, description: str, *, region: str = "") -> None:
        """``region``: another one than the stage's."""
        super().__init__(
            scope,
            f"{stage.base}-{name}",
            description=f"Sheen, stage {stage.name}: {description}",
            env=cdk.Environment(region=region or stage.region),
            synthesizer=cdk.BootstraplessSynthesizer(),
            termination_protection=stage.protected,
            analytics_reporting=False,
            suppress_template_indentation=True,
        )
        self.stage = stage

    def tell(self, name: str, value: str, description: str) -> None:
        """Put out a value: whoever deploys, and the functions' configuration, read it by ``name``."""
        cdk.CfnOutput(self, name, value=value, description=description)

    def told(self, name: str, description: str, *, default: str | None = None, secret: bool = False) -> str:
        """Take a value that is known only when earlier steps are done, as a parameter; return the expression for it."""
        parameter = cdk.CfnParameter(self, name, type="String", description=description, default=default, no_echo=secret or None)
        value: str = parameter.value_as_string
        return value


def accept(construct: IConstruct, rule: str, because: str) -> None:
    """Let a construct break a rule of cdk-nag's AWS Solutions, such as ``S1``, for a reason that goes into the template's metadata."""
    cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=because))


def log_group(stack: SheenStack, identity: str, name: str, retention_days: int = 0) -> logs.LogGroup:
    """Add a log group that keeps what it gets as long as the stage says, or ``retention_days``, and goes with the stack."""
    group = logs.LogGroup(stack, identity, log_group_name=name, removal_policy=cdk.RemovalPolicy.DESTROY)
    group.node.default_child.add_property_override("RetentionInDays", retention_days or stack.stage.log_retention_days)
    return group
