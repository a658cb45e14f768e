"""The base class of all stacks, and what they share."""

import aws_cdk as cdk
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct

from infra.aws.settings import Stage


class SheenStack(cdk.Stack):
    """A stack ``sheen-<stage>-<name>`` without assets.

    Its template is all that it consists of, so the account need not be bootstrapped.
    """

    def __init__(
        self, scope: Construct, stage: Stage, name: str, description: str, *, region: str = ""
    ) -> None:
        """Create the stack; ``region`` differs from the stage's if given."""
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
        """Add an output, which the deployer and the functions' configuration read by ``name``."""
        cdk.CfnOutput(self, name, value=value, description=description)

    def told(
        self, name: str, description: str, *, default: str | None = None, secret: bool = False
    ) -> str:
        """Add a parameter for a value that earlier steps find out; return the expression for it."""
        parameter = cdk.CfnParameter(
            self,
            name,
            type="String",
            description=description,
            default=default,
            no_echo=secret or None,
        )
        value: str = parameter.value_as_string
        return value


def accept(construct: IConstruct, rule: str, because: str) -> None:
    """Let a construct break a rule of cdk-nag's AWS Solutions, such as ``S1``.

    The reason goes into the template's metadata.
    """
    cdk.Validations.of(construct).acknowledge(
        cdk.Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=because)
    )


def log_group(
    stack: SheenStack, identity: str, name: str, retention_days: int = 0
) -> logs.LogGroup:
    """Add a log group, which is deleted with the stack.

    It keeps its events for ``retention_days``, or as long as the stage says.
    """
    group = logs.LogGroup(
        stack, identity, log_group_name=name, removal_policy=cdk.RemovalPolicy.DESTROY
    )
    group.node.default_child.add_property_override(
        "RetentionInDays", retention_days or stack.stage.log_retention_days
    )
    return group
