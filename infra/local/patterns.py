"""Event patterns, as EventBridge rules and event source mappings have them."""

from collections.abc import Mapping
from typing import Any

from moto.events.models import EventPattern


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Tell whether ``event`` fits ``pattern``."""
    return bool(EventPattern(None, dict(pattern)).matches_event(event))  # type: ignore[arg-type]  # any event
