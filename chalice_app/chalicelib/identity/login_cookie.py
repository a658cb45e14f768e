"""The cookies of a login and of its form. Pure.

A login's cookie holds 256 random bits and nothing else. The table of logins has its SHA-256, so
whoever reads the table can sign in as nobody.
"""

import hashlib
import re

from chalicelib import cookies

_LOGIN, _FORM = "sheen-login", "sheen-form"
_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")


def _name(name: str, secure: bool) -> str:
    """Return a cookie's name. With ``__Host-``, no other host can set it, and no path but ``/``."""
    return f"__Host-{name}" if secure else name


def login_in(header: str, *, secure: bool) -> str | None:
    """Return the login that a ``Cookie`` header shows; None for none.

    If there are two, somebody else has set one, and neither counts.
    """
    shown = cookies.values(header, _name(_LOGIN, secure))
    return shown[0] if len(shown) == 1 and _VALUE.fullmatch(shown[0]) else None


def forms_in(header: str, *, secure: bool) -> list[str]:
    """Return the tokens of forms that a ``Cookie`` header shows."""
    return cookies.values(header, _name(_FORM, secure))


def set_login(value: str, *, secure: bool) -> str:
    """Return the ``Set-Cookie`` header of a login."""
    return _set(_name(_LOGIN, secure), value, secure)


def clear_login(*, secure: bool) -> str:
    """Return the ``Set-Cookie`` header that ends a login in this browser."""
    return _set(_name(_LOGIN, secure), "", secure) + "; Max-Age=0"


def set_form(token: str, *, secure: bool) -> str:
    """Return the ``Set-Cookie`` header of a form's token."""
    return _set(_name(_FORM, secure), token, secure)


def _set(name: str, value: str, secure: bool) -> str:
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")


def login_id(value: str) -> str:
    """Return the id of a login's row, in hex digits."""
    return hashlib.sha256(value.encode()).hexdigest()
