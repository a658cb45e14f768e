"""The rows of logins: how they begin, are used and end."""

from chalicelib.aws.tables import Together
from chalicelib.identity import life
from chalicelib.identity.life import Life
from chalicelib.identity.model import Login, User

_LATER = 3600
"""Seconds for which a row outlives its login, before DynamoDB may remove it."""


def begin(login_id: str, user: User, now: float) -> bool:
    """Sign a browser in; return False if the user has changed since the row was read."""
    living = life.new(now)
    login = Login(
        login_id,
        user=user.id,
        name=user.name,
        role=user.role,
        groups=list(user.groups),
        groups_known=True,
        made_at=now,
        used_at=living.used_at,
        ends_at=living.ends_at,
        duration=living.duration,
        expires_at=_expiry(living),
    )
    together = Together()
    together.condition_check(
        User,
        user.id,
        condition=(User.revision == user.revision) & (User.locked != True),  # noqa: E712
    )
    together.save(login)
    return together.write_if()


def find(login_id: str, now: float) -> Login | None:
    """Read a living login consistently; None if there is none."""
    try:
        login = Login.get(login_id, consistent_read=True)
    except Login.DoesNotExist:
        return None
    return None if login.life.is_over(now) else login


def use(login: Login, now: float) -> None:
    """Note that a login is used, if that is due; one that has ended meanwhile stays ended."""
    if login.life.is_due(now):
        living = login.life._replace(used_at=now)
        login.update_if(
            Login.id.exists(),
            [Login.used_at.set(now), Login.expires_at.set(_expiry(living))],
        )


def end(login_id: str) -> None:
    """End one login."""
    Login(login_id).delete()


def of_user(user_id: str) -> list[str]:
    """Return the ids of a user's logins."""
    return [str(login.id) for login in Login.of_user.query(user_id)]


def end_all_of(user_id: str) -> list[str]:
    """End all logins of a user; return their ids."""
    ids = of_user(user_id)
    for login_id in ids:
        end(login_id)
    return ids


def _expiry(living: Life) -> int:
    return int(min(living.used_at + living.duration, living.ends_at)) + _LATER
