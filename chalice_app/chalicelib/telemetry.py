"""Logs, metrics and traces of the Lambdas, by Powertools.

Metrics and traces are imported on first use (FACTS H3).
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from aws_lambda_powertools import Logger

NAMESPACE = "Sheen"

logger: Logger = Logger(service="sheen", log_record_order=["level", "message", "timestamp"])
"""Writes one JSON object a line.

The level comes from ``POWERTOOLS_LOG_LEVEL``, by default INFO. Nothing is logged per frame at INFO.
"""

_state = {"cold": True}


def about(**keys: str) -> AbstractContextManager[None]:
    """Add keys (app, instance, session, request_id …) to every line that is logged inside."""
    keeper: AbstractContextManager[None] = logger.append_context_keys(**keys)
    return keeper


def count(name: str, **dimensions: str) -> None:
    """Count one occurrence, as a CloudWatch metric in the log (EMF)."""
    from aws_lambda_powertools.metrics import MetricUnit, single_metric

    with single_metric(name=name, unit=MetricUnit.Count, value=1, namespace=NAMESPACE) as metric:
        metric.add_dimension(
            name="function", value=os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "unknown")
        )
        for key, value in dimensions.items():
            metric.add_dimension(name=key, value=value)


def around(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Wrap every invocation: count a cold start, and trace if that is on.

    ``POWERTOOLS_TRACE_DISABLED=false`` turns tracing on.
    """
    if _state["cold"]:
        _state["cold"] = False
        if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
            count("ColdStart")
    if os.environ.get("POWERTOOLS_TRACE_DISABLED") != "false":
        return get_response(event)
    with _tracer().provider.in_subsegment(
        f"## {os.environ.get('AWS_LAMBDA_FUNCTION_NAME', 'sheen')}"
    ):
        return get_response(event)


def _tracer() -> Any:
    if "tracer" not in _state:
        from aws_lambda_powertools import Tracer

        _state["tracer"] = Tracer(service="sheen", auto_patch=True)  # type: ignore[assignment]
    return _state["tracer"]
