"""The rules that start state machines on events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.declared.bucket import BUNDLES
from infra.declared.place import Place


@dataclass(frozen=True, slots=True)
class EventRule:
    """An EventBridge rule that starts a state machine with the event as its input."""

    name: str
    pattern: Callable[[Place], Mapping[str, Any]]
    state_machine: str

    @property
    def role(self) -> str:
        """The name of the role with which it starts the state machine."""
        return f"rule-{self.name}"


def _bundle_uploaded(place: Place) -> dict[str, Any]:
    return {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [place.bucket]}, "object": {"key": [{"prefix": BUNDLES}]}},
    }


RULES = (EventRule("bundle-uploaded", _bundle_uploaded, "publish"),)
