"""The users that the deployment keeps itself: their rows, and changes of them."""

from collections.abc import Callable, Iterable
from typing import Any

from chalicelib.identity import logins, names
from chalicelib.identity.errors import NoSuchUser, UserChanged, UserExists
from chalicelib.identity.model import User
from chalicelib.identity.names import FLAT, Role, UserId

_TRIES = 5


def flat_id(name: str) -> str:
    """Return the id of the flat file's user with a name."""
    return str(UserId(FLAT, name))


def everyone() -> list[User]:
    """Read all users, sorted by name."""
    return sorted(User.scan(), key=lambda user: (user.name, user.id))


def find(name: str) -> User | None:
    """Read a user consistently; None if there is none."""
    try:
        return User.get(flat_id(name), consistent_read=True)
    except User.DoesNotExist:
        return None


def get(name: str) -> User:
    """Read a user consistently; raise :class:`NoSuchUser`."""
    user = find(name)
    if user is None:
        raise NoSuchUser(f"there is no user {name!r}; `sheen user list` shows all")
    return user


def add(name: str, role: Role, groups: Iterable[str], password: str, now: float) -> User:
    """Add a user; ``password`` is a hash. Raise :class:`UserExists` or :class:`BadUser`."""
    user = User(
        flat_id(names.user_name(name)),
        name=name,
        role=role.value,
        groups=list(names.groups_of(groups)),
        password=password,
        locked=False,
        made_at=now,
        revision=0,
    )
    if not user.save_if(User.id.does_not_exist()):
        raise UserExists(f"there is a user {name!r}; `sheen user remove {name}` removes them first")
    return user


def change(name: str, actions: Callable[[User], list[Any]]) -> list[str]:
    """Change a user and end all their logins; return the ids of these.

    First the row changes. A login is made only if the row is still what it was checked against, so
    none can appear after the last was ended.
    """
    for _ in range(_TRIES):
        user = get(name)
        more = [*actions(user), User.revision.set(int(user.revision) + 1)]
        if user.update_if(User.revision == user.revision, more):
            return logins.end_all_of(user.id)
    raise UserChanged(f"others change the user {name!r} all the time; try again")


def remove(name: str) -> list[str]:
    """Remove a user and end all their logins; return the ids of these."""
    user = get(name)
    user.delete()
    return logins.end_all_of(user.id)


def set_role(name: str, role: Role) -> list[str]:
    """Give a user a role."""
    return change(name, lambda _: [User.role.set(role.value)])


def set_groups(name: str, groups: Iterable[str]) -> list[str]:
    """Put a user into groups, and into no others."""
    wanted = list(names.groups_of(groups))
    return change(name, lambda _: [User.groups.set(wanted)])


def set_password(name: str, password: str) -> list[str]:
    """Give a user a password; ``password`` is its hash."""
    return change(name, lambda _: [User.password.set(password)])


def set_locked(name: str, locked: bool) -> list[str]:
    """Lock a user out, or let them in again."""
    return change(name, lambda _: [User.locked.set(locked)])
