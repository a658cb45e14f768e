"""What ``make plan`` says: what a deployment would change, and what the stage costs. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from infra.aws import costs
from infra.aws.cloudformation import REPLACING, Change
from infra.aws.settings import Stage
from infra.aws.synth import Template
from infra.declared import MACHINES

_SIGNS = {"Add": "+", "Modify": "~", "Replace": "!", "Remove": "-"}


def plan_lines(changes: Mapping[str, Sequence[Change]]) -> Iterator[str]:
    """Yield what changes in each stack: each resource, or of a stack that is all new how many of which type."""
    for stack, many in changes.items():
        if not many:
            yield f"{stack}: no change"
        elif all(change.action == "Add" for change in many):
            kinds = Counter(change.kind.removeprefix("AWS::") for change in many)
            yield f"{stack}: new: {', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}"
        else:
            yield f"{stack}:"
            for change in many:
                warning = "  (holds data!)" if change.kind in REPLACING and change.action in ("Replace", "Remove") else ""
                yield f"  {_SIGNS[change.action]} {change.resource} ({change.kind}){warning}"
    yield "Not seen here: functions go out by chalice deploy when their code or configuration has changed; images are built when what they"
    yield "are made of has, and the tasks that start from then on have them."


def cost_lines(stage: Stage, templates: Sequence[Template], app: str) -> Iterator[str]:
    """Yield the bill. ``app``: the source of ``app.py``."""
    price = costs.prices(stage.region)
    items = costs.idle(stage, templates, price, costs.schedules_of(app))
    yield ""
    yield f"A month in which nobody comes, in {stage.region}, at the prices of {price.date} (infra/aws/prices.toml), without the free tier:"
    for item in items:
        yield f"  {item.usd:8.2f} $  {item.what}"
    yield f"  {sum(item.usd for item in items):8.2f} $  in all"
    yield "An hour in which somebody does:"
    for size in MACHINES:
        hour = costs.machine_hour(stage, price, size)
        yield f"  {hour:8.4f} $  an instance of size {size}{', on Spot' if stage.compute.spot else ''}, however many visitors it has"
    yield f"  {costs.visitor_hour(price):8.4f} $  each visitor: messages, pages, functions"
    yield f"  {price['transfer_out_gb']:8.4f} $  each gigabyte that is sent to them"
