"""A sync's definition: its source, schedule, selection of files and verification. Pure."""

import re
import shlex
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from chalicelib.apps.errors import BadLocation
from chalicelib.apps.locations import check as check_location
from chalicelib.configuration.rules import Rule, choice, count, no_setting, seconds, switch
from chalicelib.schedules import NEVER, BadSchedule, Schedule
from chalicelib.syncs.errors import BadSync
from chalicelib.syncs.keys import matcher, unfit

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""The form of a sync's name, as the ``data`` setting of an app uses it."""
VERIFY = {
    "none": "NONE",
    "transferred": "ONLY_FILES_TRANSFERRED",
    "all": "POINT_IN_TIME_CONSISTENT",
}
"""The choices for ``verify``, with DataSync's names for them."""
EVERYTHING = "/"
"""Value of :attr:`SyncDefinition.urgent` that makes every object urgent."""
OWN_DATA = "data/"
"""Folder of the deployment's own bucket that holds data; all else in that bucket is Sheen's."""
NOT_TOLD = "bodies/"
"""Objects below this prefix are not data, and no events about them reach a sync."""


@dataclass(frozen=True, slots=True)
class SyncDefinition:
    """One sync. Keys, prefixes and patterns are relative to ``bucket`` and ``prefix``."""

    name: str
    """Also the name of its folder on EFS."""
    bucket: str
    prefix: str
    """Empty, or ends with a slash."""
    schedule: str = "rate(1 hour)"
    """EventBridge's ``rate(…)`` or ``cron(…)``, or ``never``."""
    include: tuple[str, ...] = ()
    """DataSync's patterns of what to copy; empty: everything. ``*`` only at the end."""
    exclude: tuple[str, ...] = ()
    """DataSync's patterns of what to leave out."""
    delete: bool = False
    """Whether a file is deleted when its object is gone."""
    verify: str = "transferred"
    """One of :data:`VERIFY`."""
    urgent: str = ""
    """Prefix below which objects are copied as soon as they exist. Empty: none; ``/``: all."""
    urgent_limit: int = 64 << 20
    """Bytes up to which one of our own tasks copies an urgent object; DataSync takes minutes."""
    stall_timeout: float = 1800.0
    """Seconds without progress after which a run is stopped."""
    retries: int = 3
    """How often a failed run is tried again."""
    apps: tuple[str, ...] = ()
    """Locations of the apps that may use the folder; ``*`` matches any characters; empty: none."""
    publish: str = ""
    """Location below which each folder with an app is published. Empty: data, not apps."""

    @classmethod
    def parse(cls, name: str, values: Mapping[str, Any], own_bucket: str) -> "SyncDefinition":
        """Read a definition; raise :class:`BadSync` that names the key, its value and the rule.

        ``bucket`` defaults to the deployment's own bucket, ``prefix`` to ``data/<name>/``.
        """
        if not NAME.fullmatch(name):
            raise BadSync(
                f'sync "{name}": a name has small letters, digits and -, at most 63, as '
                "in sales-2026"
            )
        parsed: dict[str, Any] = {"bucket": own_bucket, "prefix": f"data/{name}/"}
        for key, value in values.items():
            rule = _RULES.get(key)
            if rule is None:
                raise BadSync(f"sync {name}: {no_setting(key, SETTINGS)}")
            try:
                parsed[key] = rule.read(value)
            except BadSchedule as error:
                raise BadSync(f"sync {name}: {key}: {error}") from None
            except (TypeError, ValueError, BadLocation):
                raise BadSync(
                    f"sync {name}: {key} is {value!r}; it is {rule.words}, as in "
                    f"{key}={rule.example}"
                ) from None
        found = cls(name=name, **parsed)
        if found.bucket == own_bucket and not found.prefix.startswith(OWN_DATA):
            raise BadSync(
                f"sync {name}: prefix is {found.prefix!r}; in Sheen's own bucket data is "
                f"below {OWN_DATA}, as in prefix={OWN_DATA}{name}/"
            )
        if found.prefix.startswith(NOT_TOLD):
            raise BadSync(
                f"sync {name}: prefix is {found.prefix!r}; data is not below {NOT_TOLD}, "
                f"as in prefix={OWN_DATA}{name}/"
            )
        return found

    def check_readable(self, own_bucket: str, others: Sequence[str]) -> None:
        """Raise :class:`BadSync` if the deployment may not read the source.

        ``others`` is as in :class:`chalicelib.configuration.deployment.Settings`.
        """
        source = f"{self.bucket}/{self.prefix}"
        if self.bucket != own_bucket and not source.startswith(tuple(others)):
            raise BadSync(
                f"sync {self.name}: this deployment may not read s3://{source}; beside "
                "its own bucket it may read "
                f"{', '.join(f's3://{other}' for other in others) or 'none'}, which its "
                "operator says in [[data]] of the stage's settings"
            )

    def settings(self) -> dict[str, Any]:
        """Return all values as they are stored, by name."""
        values = {name: getattr(self, name) for name in SETTINGS}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }

    def lets_in(self, location: str) -> bool:
        """Return whether the app at a location may use the folder."""
        return any(fnmatchcase(location, pattern) for pattern in self.apps)

    def relative(self, bucket: str, key: str) -> str | None:
        """Return an object's key below this sync's prefix, or None if it is outside the sync."""
        if bucket != self.bucket or not key.startswith(self.prefix) or key == self.prefix:
            return None
        return key[len(self.prefix) :]

    def wants(self, relative: str) -> bool:
        """Return whether :attr:`include` and :attr:`exclude` select an object."""
        include, exclude = matcher(self.include), matcher(self.exclude)
        path = f"/{relative}"
        return (include is None or bool(include.match(path))) and (
            exclude is None or not exclude.match(path)
        )

    def is_urgent(self, relative: str) -> bool:
        """Return whether an object, if selected at all, is copied as soon as it exists."""
        return self.urgent == EVERYTHING or (bool(self.urgent) and relative.startswith(self.urgent))


def _text(pattern: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.DOTALL):
            raise ValueError
        return value

    return read


def _prefix(value: Any) -> str:
    text = _text(r".{0,1000}")(value)
    if (text and unfit(text) is not None) or any(
        not _LOCATABLE.match(each) and unicodedata.category(each) != "Zs" for each in text
    ):
        raise ValueError
    return text if not text or text.endswith("/") else f"{text}/"


_LOCATABLE = re.compile(r"[A-Za-z0-9_+./()-]")
"""Besides blanks, the characters allowed in the folder of a DataSync location.

The folder is its ``S3Subdirectory``. Filters take any characters.
"""


def _urgent(value: Any) -> str:
    return EVERYTHING if value == EVERYTHING else _text(r"([^\0/][^\0]{0,999})?")(value)


def _patterns(only_at_end: bool) -> Callable[[Any], tuple[str, ...]]:
    def read(value: Any) -> tuple[str, ...]:
        found = tuple(shlex.split(value)) if isinstance(value, str) else tuple(value)
        for pattern in found:
            if (
                not isinstance(pattern, str)
                or not pattern
                or "\0" in pattern
                or "|" in pattern.replace("\\|", "")
            ):
                raise ValueError
            if only_at_end and (
                not pattern.startswith("/") or "*" in pattern.replace("\\*", "")[:-1]
            ):
                raise ValueError
        return found

    return read


_UNITS = {"": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}


def _bytes(value: Any) -> int:
    match = re.fullmatch(r"(\d{1,15})\s*(kb|mb|gb|)", str(value).strip().lower())
    if match is None or isinstance(value, bool) or int(match[1]) * _UNITS[match[2]] > 10 << 30:
        raise ValueError
    return int(match[1]) * _UNITS[match[2]]


def _schedule(value: Any) -> str:
    return (
        Schedule.parse(value).expression
        if isinstance(value, str)
        else Schedule.parse(repr(value)).expression
    )


def _locations(value: Any) -> tuple[str, ...]:
    found = tuple(value.split()) if isinstance(value, str) else tuple(value)
    if any(
        not isinstance(pattern, str) or not re.fullmatch(r"\*|/[A-Za-z0-9._~/*-]*", pattern)
        for pattern in found
    ):
        raise ValueError
    return found


def _location(value: Any) -> str:
    return check_location(value) if value else ""


_RULES: dict[str, Rule] = {
    "bucket": Rule(
        _text(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"), "the name of an S3 bucket", "our-data"
    ),
    "prefix": Rule(
        _prefix,
        "the beginning of keys, without a slash in front, of letters A to Z, digits, "
        "blanks and _-+./() only, as DataSync takes it; "
        "what is below it may be called anything, and chosen by include='/year=2026/*'",
        "data/sales/",
    ),
    "schedule": Rule(_schedule, f"rate(…), cron(…) or {NEVER}", "'rate(1 hour)'"),
    "include": Rule(
        _patterns(True),
        "patterns that begin with a slash, * only at their end",
        "'/2026/* /model.rds'",
    ),
    "exclude": Rule(_patterns(False), "patterns, * for any characters", "'*.tmp /drafts/*'"),
    "delete": switch("true"),
    "verify": choice(tuple(VERIFY)),
    "urgent": Rule(_urgent, "the beginning of keys below the prefix, or / for all", "urgent/"),
    "urgent_limit": Rule(_bytes, "a number of bytes, or of KB, MB or GB, at most 10GB", "64MB"),
    "stall_timeout": seconds(1, 86400, "1800"),
    "retries": count(0, 10, "3"),
    "apps": Rule(_locations, "locations of apps, * for any characters", "'/sales /team/*'"),
    "publish": Rule(_location, "the location below which the folders' apps are", "/"),
}

SETTINGS = tuple(field.name for field in fields(SyncDefinition) if field.name != "name")
"""The names of the settings."""
