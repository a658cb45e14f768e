"""How a function reads a table's stream, which ``chalice deploy`` cannot set.

``chalice package`` gets these settings by a merged template (:func:`infra.chalice.events`). Here
they are set on what Chalice has deployed. They persist, because later deployments of Chalice change
only batch sizes.
"""

import time
from collections.abc import Callable
from typing import Any

from infra.aws.errors import DeployError
from infra.declared import Declared, Place

ATTEMPTS, PAUSE_SECONDS = 30, 3.0
"""Attempts and pause while Lambda still applies Chalice's changes to a trigger."""


def set_triggers(
    client: Any, declared: Declared, place: Place, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Set the declared reading of every stream; return the number of streams.

    ``client`` is boto3's for Lambda. Raise :class:`DeployError`.
    """
    reading = [function for function in declared.functions if function.stream is not None]
    for function in reading:
        assert function.stream is not None
        name = place.function_name(function.name)
        mappings = client.list_event_source_mappings(
            FunctionName=place.function_arn(function.name)
        )["EventSourceMappings"]
        if not mappings:
            raise DeployError(f"the function {name} reads no stream; deploy the functions again")
        for mapping in mappings:
            wanted = function.stream.parameters()
            # An update interrupts the reading for a while.
            if any(mapping.get(key) != value for key, value in wanted.items()):
                _update(client, name, {"UUID": mapping["UUID"], **wanted}, sleep)
    return len(reading)


def _update(
    client: Any, name: str, parameters: dict[str, Any], sleep: Callable[[float], None]
) -> None:
    for _ in range(ATTEMPTS):
        try:
            client.update_event_source_mapping(**parameters)
        except client.exceptions.ResourceInUseException:
            sleep(PAUSE_SECONDS)
        else:
            return
    raise DeployError(
        f"Lambda is still at work on the trigger of the function {name}, after "
        f"{ATTEMPTS * PAUSE_SECONDS:.0f} seconds"
    )
