"""The pages that sign visitors in and out. Pure."""

from __future__ import annotations

from typing import NamedTuple

from chalicelib.pages.handlebars import Values
from chalicelib.pages.markup import safe_url
from chalicelib.pages.page import Draft, Page, make

_OWN_WINDOW = {
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""Headers of pages with a form that a click must not be stolen from.

No page may show them in a frame, and none that opened them may look into their window.
"""


class Form(NamedTuple):
    """What a form sends beside what is typed: where to, and a token that only its page knows."""

    action: str
    token: str


def sign_in(
    form: Form, then: str, *, name: str = "", problem: str = "", user: str = "", status: int = 200
) -> Page:
    """Return the page with the form that asks for name and password.

    `then` is where to go on. `name` was typed before, and `problem` says what was wrong with it.
    `user` is who is signed in, if anybody is.
    """
    values: Values = {
        "action": safe_url(form.action),
        "token": form.token,
        "next": then,
        "name": name[:128],
        "problem": problem,
        "user": user,
    }
    return make(status, Draft("sign-in", values), _OWN_WINDOW)


def sign_out(form: Form, user: str) -> Page:
    """Return the page that asks whether to sign out."""
    values: Values = {"action": safe_url(form.action), "token": form.token, "user": user}
    return make(200, Draft("sign-out", values), _OWN_WINDOW)


def signed_out(message: str, sign_in_url: str, home_url: str) -> Page:
    """Return the page after signing out; it goes nowhere by itself."""
    values: Values = {
        "message": message,
        "sign_in_url": safe_url(sign_in_url),
        "home_url": safe_url(home_url),
    }
    return make(200, Draft("signed-out", values), _OWN_WINDOW)


def not_allowed(title: str, message: str, user: str, sign_in_url: str) -> Page:
    """Return a 403: `user`, who is signed in, may not see what is here."""
    values: Values = {
        "title": title,
        "message": message,
        "user": user,
        "sign_in_url": safe_url(sign_in_url),
    }
    return make(403, Draft("not-allowed", values), _OWN_WINDOW)
