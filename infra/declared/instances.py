"""The rights to stop instances, and to tell their visitors."""

from collections.abc import Iterable

from chalicelib.instances.ceilings.model import Ceiling
from chalicelib.instances.model import Instance
from chalicelib.sessions.connections.model import ConnectionRow
from infra.declared.place import Place
from infra.declared.rights import Statement, connections, index, items


def list_and_stop_tasks(
    place: Place, *operations: str, ceiling: tuple[str, ...] = ("UpdateItem",)
) -> Iterable[Statement]:
    """Allow listing and stopping tasks, and updating the rows that stopping an instance changes.

    ``operations`` are allowed on the rows of instances, ``ceiling`` on those of ceilings: a
    function that stops an instance gives its place back.
    """
    return (
        items(place, Instance, *operations),
        items(place, Ceiling, *ceiling),
        Statement(
            "ListTasks",
            ("ecs:ListTasks",),
            ("*",),
            conditions={"ArnEquals": {"ecs:cluster": place.cluster_arn()}},
            why="ListTasks without an instance of EC2 takes no resource; the condition names "
            "the cluster",
        ),
        Statement("StopTasks", ("ecs:StopTask",), (place.arn("ecs", f"task/{place.cluster}/*"),)),
    )


def tell_visitors(place: Place) -> Iterable[Statement]:
    """Allow telling an instance's visitors why it ends, and forgetting their connections."""
    return (
        index(place, ConnectionRow, "instance"),
        items(place, ConnectionRow, "DeleteItem"),
        connections(place),
    )


def end_instances(
    place: Place, *operations: str, ceiling: tuple[str, ...] = ("UpdateItem",)
) -> Iterable[Statement]:
    """Allow ending an instance from outside; finding the instances takes further rights."""
    return (
        *list_and_stop_tasks(place, *dict.fromkeys(("UpdateItem", *operations)), ceiling=ceiling),
        *tell_visitors(place),
        Statement(
            "StopExecutions",
            ("states:StopExecution",),
            (place.arn("states", f"execution:{place.name('instance')}:*"),),
        ),
    )
