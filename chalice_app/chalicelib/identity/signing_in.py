"""Check a password, as the function ``on_sign_in`` does.

It is an errand of its own function. What answers visitors cannot read the hashes of passwords, and
what checks passwords cannot be reached by visitors. The errand's row holds the password until it is
checked, for seconds; DynamoDB encrypts it, and the stream carries the row's key only.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib import telemetry
from chalicelib.errands import asking
from chalicelib.errands.course import Manner
from chalicelib.errands.doing import ErrandKind
from chalicelib.errands.errors import BadErrand, ErrandFailed
from chalicelib.identity import logins, passwords, users
from chalicelib.identity.errors import BadHash
from chalicelib.identity.model import User
from chalicelib.identity.passwords import PasswordHash

SIGN_IN = "sign-in"
"""The kind of the errand: ``{"name": …, "password": …, "login": <id of the login to make>}``.

Its answer is ``{"right": true}`` once the login is made, and ``{"right": false}`` otherwise: the
asker does not learn why.
"""
_SECONDS = 10.0
PATIENCE = 20.0
"""Seconds for which a visitor waits at most."""


def ask(name: str, password: str, login_id: str, clock: Callable[[], float]) -> bool | None:
    """Have a password checked and a login made; return whether the password was right.

    Return None if nobody checked it in time.
    """
    payload = {"name": name, "password": password, "login": login_id}
    try:
        errand = asking.ask(SIGN_IN, payload, secrets.token_hex(16), PATIENCE, clock())
        answer = asking.wait(errand, clock)
    except BadErrand:
        return False
    except ErrandFailed as error:
        telemetry.logger.error("a password was not checked", extra={"error": str(error)})
        return None
    asking.forget(errand)
    return answer.get("right") is True


def kinds(clock: Callable[[], float]) -> tuple[ErrandKind, ...]:
    """Return the kinds of errands that check passwords."""

    def check(payload: Mapping[str, Any]) -> dict[str, bool]:
        match payload:
            case {"name": str(name), "password": str(password), "login": str(login_id)}:
                return {"right": _sign_in(name, password, login_id, clock)}
        raise ErrandFailed(f'{SIGN_IN} takes "name", "password" and "login".')

    return (ErrandKind(SIGN_IN, check, Manner(_SECONDS, repeatable=True)),)


def _sign_in(name: str, password: str, login_id: str, clock: Callable[[], float]) -> bool:
    user = users.find(name)
    known, why = _hash_of(user)
    right = passwords.is_right(password, known)
    if user is not None and right and user.locked:
        why, right = "the user is locked", False
    if user is None or not right:
        telemetry.logger.info("not signed in", extra={"why": why or "wrong password"})
        return False
    if not logins.begin(login_id, user, clock()):
        telemetry.logger.info("not signed in", extra={"why": "the user was changed meanwhile"})
        return False
    telemetry.logger.info("signed in", extra={"user": user.id})
    return True


def _hash_of(user: User | None) -> tuple[PasswordHash | None, str]:
    if user is None:
        return None, "no such user"
    if not user.password:
        return None, "the user has no password"
    try:
        return PasswordHash.parse(user.password), ""
    except BadHash as error:
        return None, str(error)
