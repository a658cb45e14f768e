"""The output of ``make plan``: what a deployment would change, and what the stage costs.

This module is pure.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from infra.aws import costs
from infra.aws.cloudformation import REPLACING, ResourceChange
from infra.aws.settings import Stage
from infra.aws.synth import StackTemplate
from infra.declared import MACHINES

_SIGNS = {"Add": "+", "Modify": "~", "Replace": "!", "Remove": "-"}


def plan_lines(changes: Mapping[str, Sequence[ResourceChange]]) -> Iterator[str]:
    """Yield the changes of each stack.

    The lines name each resource, or for a new stack the number of resources of each type.
    """
    for stack, many in changes.items():
        if not many:
            yield f"{stack}: no change"
        elif all(change.action == "Add" for change in many):
            kinds = Counter(change.kind.removeprefix("AWS::") for change in many)
            yield (
                f"{stack}: new: "
                f"{', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}"
            )
        else:
            yield f"{stack}:"
            for change in many:
                warning = (
                    "  (holds data!)"
                    if change.kind in REPLACING and change.action in ("Replace", "Remove")
                    else ""
                )
                yield f"  {_SIGNS[change.action]} {change.resource} ({change.kind}){warning}"
    yield (
        "Not seen here: functions go out by chalice deploy when their code or configuration "
        "has changed; images are built when what they"
    )
    yield "are made of has, and the tasks that start from then on have them."


def cost_lines(stage: Stage, templates: Sequence[StackTemplate], app: str) -> Iterator[str]:
    """Yield the lines of the bill; ``app`` is the source of ``app.py``."""
    price = costs.prices(stage.region)
    items = costs.idle(stage, templates, price, costs.schedules_of(app))
    yield ""
    yield (
        f"About, at the prices of {price.date} for {stage.region} "
        f"(infra/aws/prices.toml{_borrowed(stage)}), without the free tier."
    )
    yield "A month in which nobody comes:"
    for item in items:
        yield f"  {item.usd:8.2f} $  {item.what}"
    yield f"  {sum(item.usd for item in items):8.2f} $  in all"
    yield "An hour in which somebody does:"
    for size in MACHINES:
        hour = costs.machine_hour(stage, price, size)
        yield (
            f"  {hour:8.4f} $  an instance of size "
            f"{size}{', on Spot' if stage.compute.spot else ''}, however many visitors it has"
        )
    for title, many in (
        ("An hour of a visitor, beside the instance:", costs.visitor_hour(price)),
        ("A start of an instance, beside its time:", costs.start(price)),
    ):
        yield title
        yield from (f"  {item.usd:8.4f} $  {item.what}" for item in many)
        yield f"  {sum(item.usd for item in many):8.4f} $  together"
    yield "Each gigabyte:"
    yield from (f"  {item.usd:8.4f} $  {item.what}" for item in costs.gigabytes(stage, price))


def _borrowed(stage: Stage) -> str:
    return (
        ""
        if costs.has_prices(stage.region)
        else ", which has us-east-1's for it; Europe and Asia are up to a fifth dearer"
    )
