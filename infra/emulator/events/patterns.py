"""Event patterns of EventBridge rules and event source mappings."""

from collections.abc import Mapping
from typing import Any

from moto.events.models import EventPattern


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Return whether ``event`` matches ``pattern``."""
    return bool(EventPattern(None, dict(pattern)).matches_event(event))  # type: ignore[arg-type]  # any event
