"""The list of apps at `/`. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from chalicelib.pages.handlebars import Values
from chalicelib.pages.markup import safe_url
from chalicelib.pages.page import Draft, Page, make


class AppEntry(NamedTuple):
    """One app in the list of apps. `url` is what to open, `location` is what to show."""

    name: str
    location: str
    url: str
    state: Literal["sleeping", "starting", "running"]


FEW = 8
"""The number of apps up to which the list needs no search."""
_LONGEST_QUERY = 100


class Signing(NamedTuple):
    """Where a page lets its visitor sign in and out, and who is signed in (empty: nobody)."""

    sign_in_url: str
    sign_out_url: str
    user: str = ""


def apps_index(apps: Sequence[AppEntry], query: str = "", signing: Signing | None = None) -> Page:
    """Return the list of apps at `/`, by folder and name: those that have every word of `query`.

    Without any app, the page says how to publish the first one.
    """
    query = query[:_LONGEST_QUERY].strip()
    found = [app for app in apps if _has(app, query)]
    folders: dict[str, list[AppEntry]] = {}
    for app in sorted(found, key=lambda app: (app.name.casefold(), app.location)):
        folders.setdefault(app.location.rpartition("/")[0].strip("/"), []).append(app)
    values: Values = {
        "user": signing.user if signing else "",
        "sign_in_url": safe_url(signing.sign_in_url) if signing else "",
        "sign_out_url": safe_url(signing.sign_out_url) if signing else "",
        "apps_shown": bool(apps),
        "count": f"{len(found)} of {_how_many(apps)}" if query else _how_many(apps),
        "search": len(apps) > FEW or bool(query),
        "query": query,
        "nothing": not found,
        "many": len(apps) > 3 * FEW,
        "folders": [
            {
                "folder": folder.replace("/", " / "),
                "named": bool(folder),
                "in_it": _how_many(inside),
                "apps": [_listed(app) for app in inside],
            }
            for folder, inside in sorted(folders.items(), key=lambda item: item[0].casefold())
        ],
    }
    return make(200, Draft("apps", values))


def _has(app: AppEntry, query: str) -> bool:
    text = f"{app.name} {app.location}".casefold()
    return all(word in text for word in query.casefold().split())


def _how_many(apps: Sequence[AppEntry]) -> str:
    return f"{len(apps)} app" + ("s" if len(apps) != 1 else "")


def _listed(app: AppEntry) -> Values:
    return {
        "name": app.name,
        "location": app.location,
        "url": safe_url(app.url),
        "state": app.state,
        "asleep": app.state == "sleeping",
        "state_text": _STATES[app.state],
        # An app always has the same one of eight tints, so that people recognise it by its colour.
        "tint": zlib.crc32(app.location.encode("utf-8", "replace")) % 8,
    }


_STATES: Mapping[str, str] = {"sleeping": "Sleeping", "starting": "Waking up", "running": "Awake"}
