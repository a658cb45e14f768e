"""What ``chalice deploy`` cannot say of a trigger: how a function reads a table's stream.

``chalice package`` gets it by a merged template (:func:`infra.chalice.events`); here it is set on what Chalice has made, and stays:
Chalice changes nothing but batch sizes afterwards.
"""

import json
from typing import Any

from infra.aws.errors import DeployError
from infra.declared import Declared, Place, StreamReading


def set_triggers(client: Any, declared: Declared, place: Place) -> int:
    """Set the declared reading of every stream; ``client`` is boto3's for Lambda. Return how many there are; raise :class:`DeployError`."""
    reading = [function for function in declared.functions if function.stream is not None]
    for function in reading:
        assert function.stream is not None
        name = place.function_name(function.name)
        mappings = client.list_event_source_mappings(FunctionName=place.function_arn(function.name))["EventSourceMappings"]
        if not mappings:
            raise DeployError(f"the function {name} reads no stream; deploy the functions again")
        for mapping in mappings:
            client.update_event_source_mapping(UUID=mapping["UUID"], **_parameters(function.stream))
    return len(reading)


def _parameters(stream: StreamReading) -> dict[str, Any]:
    return {
        "FilterCriteria": {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in stream.filters]},
        "MaximumRetryAttempts": stream.retries,
        "MaximumRecordAgeInSeconds": stream.record_age_seconds,
        "BisectBatchOnFunctionError": True,
    }
