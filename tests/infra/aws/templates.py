"""Templates of AWS's stacks, and what is in them."""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.aws.synth import StackTemplate

Templates = Mapping[str, list[StackTemplate]]


def resources(templates: list[StackTemplate], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the resources of a type by stack and logical name."""
    for template in templates:
        for name, resource in template.body["Resources"].items():
            if resource["Type"] == kind:
                yield f"{template.stack}/{name}", resource
