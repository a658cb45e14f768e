"""Errands about instances: what a function in the VPC has done to one. Done outside the VPC."""

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.configuration.deployment import Settings
from chalicelib.errands.course import Manner
from chalicelib.errands.doing import ErrandKind
from chalicelib.errands.errors import ErrandFailed
from chalicelib.failures import Failure
from chalicelib.instances import store
from chalicelib.instances.model import InstanceRef
from chalicelib.lives import ending

STOP_INSTANCE = "stop-instance"
"""The kind of the errand that ends an instance.

Its payload is ``{"instance": <InstanceRef as text>, "why": <a sentence for its visitors>}``. Its
answer is ``{"stopped": …}``, which is false if the instance had stopped before.
"""
LONGEST_WHY = 200
_SECONDS = 20.0


def kinds(settings: Settings, clock: Callable[[], float]) -> tuple[ErrandKind, ...]:
    """Return the kinds of errands about instances."""

    def stop(payload: Mapping[str, Any]) -> dict[str, bool]:
        return {"stopped": stop_instance(payload, settings, clock)}

    return (ErrandKind(STOP_INSTANCE, stop, Manner(_SECONDS, repeatable=True)),)


def stop_instance(
    payload: Mapping[str, Any], settings: Settings, clock: Callable[[], float]
) -> bool:
    """End an instance and tell its visitors why; return False if it had stopped before.

    Raise :class:`ErrandFailed` if the payload is wrong or there is no such instance.
    """
    ref, why = _parse(payload)
    instance = store.get(ref)
    if instance is None:
        raise ErrandFailed(f"There is no instance {ref}; another one may have its place.")
    failure = Failure.STOPPED_BY_OPERATOR.because(why)
    return ending.end(instance, failure, why, settings, clock, counts=False)


def _parse(payload: Mapping[str, Any]) -> tuple[InstanceRef, str]:
    instance, why = payload.get("instance"), payload.get("why")
    if payload.keys() != {"instance", "why"} or not isinstance(instance, str):
        raise ErrandFailed(f'{STOP_INSTANCE} takes "instance" and "why", and nothing else.')
    if not isinstance(why, str) or not 0 < len(why) <= LONGEST_WHY:
        raise ErrandFailed(
            f'{STOP_INSTANCE}: "why" is a sentence of 1 to {LONGEST_WHY} characters.'
        )
    try:
        return InstanceRef.parse(instance), why
    except ValueError:
        raise ErrandFailed(
            f'{STOP_INSTANCE}: "instance" is <version>/<slot>/<instance>, as a row names itself.'
        ) from None
