"""Makes a stage's CloudFormation templates, offline, from its settings and from what is declared.

``python -m infra.aws.synth FOLDER [STAGE…]`` writes them below ``FOLDER/STAGE``.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.aws.errors import NotSynthesised
from infra.aws.place import aws_place
from infra.aws.settings import Stage, load, stages
from infra.declared import DECLARED, Declared

os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")  # CDK says so at each start, whatever it is used for
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "18,20")


@dataclass(frozen=True, slots=True)
class Template:
    """One stack's."""

    stack: str
    """Its name."""
    region: str
    body: dict[str, Any]


def synthesise(stage: Stage, folder: Path, declared: Declared = DECLARED) -> list[Template]:
    """Make the templates, in the order in which they are deployed; leave CDK's own files in ``folder``.

    Raise :class:`NotSynthesised` when one breaks a rule of cdk-nag's AWS Solutions that no reason was given for.
    """
    import aws_cdk as cdk  # slow to import, and starts Node: only who makes templates waits for it
    from cdk_nag import AwsSolutionsChecks

    app = cdk.App(outdir=str(folder), analytics_reporting=False, context={"@aws-cdk/core:validateAgainstDefaultRules": True})
    for name, value in {"application": "sheen", "stage": stage.name, **stage.tags}.items():
        cdk.Tags.of(app).add(name, value)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    stacks = _add_stacks(app, stage, declared)
    try:
        assembly = app.synth()
    except RuntimeError as error:
        report = folder / "validation-report.json"
        raise NotSynthesised(f"stage {stage.name}: {report.read_text() if report.exists() else error}") from error
    return [Template(stack.stack_name, stack.region, assembly.get_stack_by_name(stack.stack_name).template) for stack in stacks]


def _add_stacks(app: Any, stage: Stage, declared: Declared) -> list[Any]:
    from aws_cdk import aws_iam as iam

    from infra.aws.stacks.data import Data
    from infra.aws.stacks.network import Network
    from infra.aws.stacks.storage import Storage

    place = aws_place(stage)
    network = Network(app, stage)
    data = Data(app, stage, declared, place)
    storage = Storage(app, stage, declared, place, data, network)
    stacks = [network, data, storage]
    if stage.permissions_boundary:
        for stack in stacks:
            boundary = iam.ManagedPolicy.from_managed_policy_name(stack, "Boundary", stage.permissions_boundary)
            iam.PermissionsBoundary.of(stack).apply(boundary)
    return stacks


def main() -> None:
    """Write the templates of some stages, or of all."""
    folder, *names = sys.argv[1:]
    for name in names or stages():
        synthesise(load(name), Path(folder) / name)


if __name__ == "__main__":
    main()
