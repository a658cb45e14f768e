"""``python -m infra.aws plan|deploy|env|destroy STAGE``, behind the Makefile's targets."""

import argparse
import sys
import tempfile
from pathlib import Path

from chalicelib.errors import SheenError
from infra.aws import steps
from infra.aws.cloudformation import compare
from infra.aws.deploy import Aws
from infra.aws.errors import DeployError
from infra.aws.plan import cost_lines, plan_lines
from infra.aws.settings import Stage, load
from infra.aws.synth import StackTemplate, synthesise
from infra.declared import TREE, admin_environment
from infra.shell import exports


def say(line: str) -> None:
    """Print a line for the operator."""
    print(line, flush=True)  # noqa: T201  # it is a command


def templates_of(stage: Stage) -> list[StackTemplate]:
    """Make the stage's templates; the error names any broken rule."""
    with tempfile.TemporaryDirectory() as folder:
        return synthesise(stage, Path(folder))


def deploy(stage: Stage) -> None:
    """Deploy the stage, or update it."""
    aws = Aws(stage, say)
    known = aws.begin()
    aws.check_account()
    done = steps.run(steps.deployment(stage, templates_of(stage)), aws, known, say)
    say(f"{stage.base} is up: {aws.url(done)}/")
    say(f'The sheen command talks to it after: eval "$(make -s env STAGE={stage.name})"')


def env(stage: Stage) -> None:
    """Print the variables that point awscli, boto3 and ``sheen`` at the stage."""
    aws = Aws(stage, say)
    known = aws.look(aws.begin())
    if "RestApi" not in known:
        raise DeployError(f"{stage.base} is not up; `make deploy STAGE={stage.name}` puts it up")
    # boto3 reads only AWS_DEFAULT_REGION.
    region = {"AWS_REGION": stage.region, "AWS_DEFAULT_REGION": stage.region}
    say(exports({**region, "SHEEN_URL": aws.url(known), **admin_environment(aws.place(known))}))


def plan(stage: Stage) -> None:
    """Print what a deployment would change, and what the stage costs."""
    templates = templates_of(stage)
    aws = Aws(stage, say)
    seen = False
    try:
        aws.begin()
        seen = True
    except DeployError as error:
        say(f"What is deployed cannot be seen ({str(error).splitlines()[0]})")
        say("so this is what a deployment makes from nothing:")
        changes = {
            template.stack: compare({}, template.body["Resources"]) for template in templates
        }
    else:
        changes = {
            template.stack: aws.stacks(template.region).changes(template) for template in templates
        }
    for line in plan_lines(changes):
        say(line)
    for line in cost_lines(stage, templates, (TREE / "chalice_app" / "app.py").read_text()):
        say(line)
    if seen:
        aws.check_account()


def destroy(stage: Stage) -> None:
    """Take the stage down, except for what people published."""
    aws = Aws(stage, say)
    known = aws.begin()
    templates = templates_of(stage)
    steps.run(steps.removal(stage, templates), aws, known, say)
    for template in templates:
        if template.stack.removeprefix(f"{stage.base}-") in steps.KEPT:
            for kind, name in aws.stacks(template.region).retained(template):
                say(f"kept, in the stack {template.stack}: {kind} {name}")
    say("`make deploy` takes it up again; docs/operator.md says how to delete it for good")


def main() -> int:
    """Run one command; an error prints a sentence and ends with status 1."""
    parser = argparse.ArgumentParser(prog="python -m infra.aws", description="Deploy Sheen to AWS.")
    parser.add_argument("command", choices=("plan", "deploy", "env", "destroy"))
    parser.add_argument("stage", help="a file of infra/aws/stages, without .toml")
    arguments = parser.parse_args()
    try:
        {"plan": plan, "deploy": deploy, "env": env, "destroy": destroy}[arguments.command](
            load(arguments.stage)
        )
    except SheenError as error:
        print(f"{arguments.command}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on", file=sys.stderr)  # noqa: T201
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
