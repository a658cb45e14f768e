"""The rights of what is declared, as the emulator takes them."""

from collections.abc import Callable, Mapping

from infra.declared import Declared, Place
from infra.declared.tasks import TASK_EXECUTION_ROLE
from infra.emulator.rights import Guard, Needs, Policy, RoleDocuments


def roles(declared: Declared, place: Place) -> tuple[RoleDocuments, ...]:
    """Return every declared role."""
    return tuple(
        RoleDocuments(
            name=role.name,
            arn=place.role_arn(role.name),
            service=role.service,
            policy=role.policy(),
            trust=role.trust(place.account),
        )
        for role in declared.roles(place).values()
    )


def needs(
    declared: Declared,
    place: Place,
    tags_of: Callable[[str], Mapping[str, str]] = lambda _arn: {},
) -> Needs:
    """Return what knows what a call needs; ``tags_of`` is for DataSync's resources."""
    execution = place.role_arn(TASK_EXECUTION_ROLE)
    return Needs(
        {
            place.name(task.name): (place.role_arn(task.role), execution)
            for task in declared.task_definitions
        },
        place.websocket_api,
        place.bucket,
        tags_of,
    )


def guard(
    declared: Declared,
    place: Place,
    role_of_task: Callable[[str], str | None],
    tell: Callable[[str], None],
    policy_of_file: Callable[[str], Policy | None] = lambda _role: None,
    tags_of: Callable[[str], Mapping[str, str]] = lambda _arn: {},
) -> Guard:
    """Return the guard of a deployment; see :class:`Guard` for the arguments."""
    holders = {
        **{
            f"function:{place.function_name(function.name)}": function.role
            for function in declared.functions
        },
        **{f"machine:{machine.name}": machine.role for machine in declared.state_machines},
    }
    return Guard(
        roles(declared, place),
        holders,
        needs(declared, place, tags_of),
        role_of_task,
        tell,
        policy_of_file,
    )
