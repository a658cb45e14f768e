"""The rights of the function that does errands, by kind."""

from collections.abc import Callable, Iterable, Mapping

from chalicelib.errands.model import Errand
from chalicelib.lives.errands import STOP_INSTANCE
from infra.declared.instances import end_instances
from infra.declared.place import Place
from infra.declared.rights import Statement, items, merged, stream

RIGHTS: Mapping[str, Callable[[Place], Iterable[Statement]]] = {
    STOP_INSTANCE: lambda place: end_instances(place, "GetItem"),
}
"""What errands of each kind need, in addition to the errand's row.

A function that asks for errands needs ``items(place, Errand, "PutItem", "GetItem", "UpdateItem")``,
and ``"DeleteItem"`` if it forgets them.
"""


def doing(place: Place) -> Iterable[Statement]:
    """Allow doing errands of every kind."""
    return merged(
        stream(place, Errand),
        items(place, Errand, "GetItem", "UpdateItem"),
        *(statement for rights in RIGHTS.values() for statement in rights(place)),
    )
