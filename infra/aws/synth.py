"""Make a stage's CloudFormation templates, offline, from its settings and the declarations.

``python -m infra.aws.synth FOLDER [STAGE…]`` writes them below ``FOLDER/STAGE``.
"""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.aws.errors import NotSynthesised
from infra.aws.place import aws_place
from infra.aws.settings import Stage, load, stages
from infra.declared import DECLARED, Declared

# Without this, CDK warns at each start, whatever it is used for.
os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "18,20")


@dataclass(frozen=True, slots=True)
class StackTemplate:
    """The template of one stack."""

    stack: str
    """The stack's name."""
    region: str
    body: dict[str, Any]


def synthesise(stage: Stage, folder: Path, declared: Declared = DECLARED) -> list[StackTemplate]:
    """Make the templates, in deployment order; leave CDK's own files in ``folder``.

    Raise :class:`NotSynthesised` if a template breaks a rule of cdk-nag's AWS Solutions without a
    given reason.
    """
    # Import late: it is slow and starts Node, which only making templates needs.
    import aws_cdk as cdk
    from cdk_nag import AwsSolutionsChecks

    app = cdk.App(
        outdir=str(folder),
        analytics_reporting=False,
        context={"@aws-cdk/core:validateAgainstDefaultRules": True},
    )
    for name, value in aws_place(stage).tags.items():
        cdk.Tags.of(app).add(name, value)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    stacks = _add_stacks(app, stage, declared)
    try:
        assembly = app.synth()
    except RuntimeError as error:
        raise NotSynthesised(f"stage {stage.name}: {_broken_rules(folder) or error}") from error
    return [
        StackTemplate(
            stack.stack_name, stack.region, assembly.get_stack_by_name(stack.stack_name).template
        )
        for stack in stacks
    ]


def _broken_rules(folder: Path) -> str:
    """Return the violations in the validation report of a failed synthesis, one per line."""
    report = folder / "validation-report.json"
    if not report.exists():
        return ""
    return "\n".join(
        f"{violation['ruleName']}: {construct['constructPath']}: {violation['description']}"
        for plugin in json.loads(report.read_text())["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    )


def _add_stacks(app: Any, stage: Stage, declared: Declared) -> list[Any]:
    from aws_cdk import aws_iam as iam

    from infra.aws.stacks.alarms import AlarmsStack
    from infra.aws.stacks.compute import ComputeStack
    from infra.aws.stacks.data import DataStack
    from infra.aws.stacks.edge import EdgeStack, ZoneStack
    from infra.aws.stacks.firewall import GuardStack
    from infra.aws.stacks.functions import FunctionsStack
    from infra.aws.stacks.network import NetworkStack
    from infra.aws.stacks.orchestration import OrchestrationStack
    from infra.aws.stacks.roles import RolesStack
    from infra.aws.stacks.storage import StorageStack

    place = aws_place(stage)
    network = NetworkStack(app, stage)
    data = DataStack(app, stage, declared, place)
    storage = StorageStack(app, stage, declared, place, data, network)
    roles = RolesStack(app, stage, declared, data, storage)
    functions = FunctionsStack(app, stage, declared)
    compute = ComputeStack(app, stage, declared, data, storage, roles)
    orchestration = OrchestrationStack(app, stage, declared, roles)
    stacks = [network, data, storage, roles, functions, compute, orchestration]
    if stage.edge:
        zone = None if stage.edge.zone_id else ZoneStack(app, stage, stage.edge)
        edge = EdgeStack(app, stage, stage.edge, zone.zone if zone else None)
        stacks += [
            *([zone] if zone else []),
            *([GuardStack(app, stage)] if stage.edge.waf else []),
            edge,
        ]
    stacks.append(AlarmsStack(app, stage, declared, orchestration))
    if stage.permissions_boundary:
        for stack in stacks:
            boundary = iam.ManagedPolicy.from_managed_policy_name(
                stack, "Boundary", stage.permissions_boundary
            )
            iam.PermissionsBoundary.of(stack).apply(boundary)
    return stacks


def main() -> None:
    """Write the templates of some stages, or of all."""
    folder, *names = sys.argv[1:]
    for name in names or stages():
        synthesise(load(name), Path(folder) / name)


if __name__ == "__main__":
    main()
