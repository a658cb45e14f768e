"""What logs are written to, by functions and by tasks. Chalice deploys the functions themselves, after this."""

from constructs import Construct

from infra.aws.place import aws_place
from infra.aws.settings import Stage
from infra.aws.stacks.base import SheenStack, log_group
from infra.declared import Declared
from infra.declared.names import camel


class Functions(SheenStack):
    """A log group for each function, which the function's own role could not make, and the declared ones."""

    def __init__(self, scope: Construct, stage: Stage, declared: Declared) -> None:
        super().__init__(scope, stage, "functions", "log groups")
        place = aws_place(stage)
        for function in declared.functions:
            name = camel(function.name)
            log_group(self, f"{name}Log", f"/aws/lambda/{place.function_name(function.name)}")
        for group in declared.log_groups:
            log_group(self, f"{group.name.capitalize()}LogGroup", place.log_group(group.name), group.retention_days)
