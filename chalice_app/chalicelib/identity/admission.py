"""Who may see an app. Pure: one function decides for pages, files, uploads and sockets alike."""

import fnmatch
import re
from collections.abc import Collection, Iterable
from enum import Enum, StrEnum
from typing import NamedTuple

from chalicelib.identity.names import Role

ANYBODY = "**"
"""In ``required_user``: everybody, also without a login."""
SIGNED_IN = "*"
"""In ``required_user``: everybody who is signed in."""


class Visibility(StrEnum):
    """Who may see an app, unless names or groups are required."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    SIGNED_IN = "signed-in"
    PRIVATE = "private"


class Rules(NamedTuple):
    """What an app requires of its visitors."""

    visibility: Visibility = Visibility.PUBLIC
    required_user: tuple[str, ...] = ()
    required_group: tuple[str, ...] = ()
    viewers: tuple[str, ...] = ()
    """Users who are invited."""
    collaborators: tuple[str, ...] = ()
    """Users who also work on the app."""


class Visitor(NamedTuple):
    """Who asks: a user who is signed in."""

    name: str
    groups: tuple[str, ...] = ()
    role: Role = Role.VIEWER
    groups_known: bool = True
    """Whether the provider said which groups the user is in."""


class SignedIn(NamedTuple):
    """A visitor, with the login that says so."""

    login_id: str
    user_id: str
    visitor: Visitor


class Verdict(Enum):
    """What admission says."""

    ADMITTED = "admitted"
    SIGN_IN = "sign in"
    """Nobody is signed in, and somebody who is may be let in."""
    REFUSED = "refused"
    """The user may not see the app."""
    GROUPS_UNKNOWN = "groups unknown"
    """Only a group could let the user in, and nobody said which groups the user is in."""


def judge(rules: Rules, visitor: Visitor | None) -> Verdict:
    """Decide about one visitor; ``visitor`` is None if nobody is signed in.

    A private app lets in whom it names, in whichever list, and admins. Any other app lets in
    everybody (or everybody who is signed in), unless ``required_user`` or ``required_group`` names
    somebody: then it lets in these, those in its two lists, and admins.
    """
    if is_open(rules):
        return Verdict.ADMITTED
    if visitor is None:
        return Verdict.SIGN_IN
    if visitor.role is Role.ADMIN or visitor.name in _named(rules) or _any_user(rules):
        return Verdict.ADMITTED
    if set(rules.required_group).intersection(visitor.groups):
        return Verdict.ADMITTED
    if rules.required_group and not visitor.groups_known:
        return Verdict.GROUPS_UNKNOWN
    return Verdict.REFUSED


def is_open(rules: Rules) -> bool:
    """Return whether an app lets in everybody, also without a login."""
    return (
        rules.visibility in (Visibility.PUBLIC, Visibility.UNLISTED)
        and not rules.required_group
        and (not rules.required_user or ANYBODY in rules.required_user)
    )


def is_listed(rules: Rules, visitor: Visitor | None) -> bool:
    """Return whether the list of apps shows an app to a visitor."""
    return rules.visibility is not Visibility.UNLISTED and judge(rules, visitor) is Verdict.ADMITTED


def _any_user(rules: Rules) -> bool:
    if SIGNED_IN in rules.required_user:
        return True
    requires = rules.required_group or set(rules.required_user) - {ANYBODY}
    return rules.visibility is not Visibility.PRIVATE and not requires


def _named(rules: Rules) -> set[str]:
    every = {*rules.required_user, *rules.viewers, *rules.collaborators}
    return every - {ANYBODY, SIGNED_IN}


class GroupFilter(NamedTuple):
    """One ``group_list``: which groups of a user count here."""

    mode: str
    """``include`` or ``exclude``, also followed by ``_glob`` or ``_regex``."""
    patterns: tuple[str, ...]

    def keeps(self, group: str) -> bool:
        """Return whether a group counts."""
        wanted, _, manner = self.mode.partition("_")
        return self._matches(group, manner) == (wanted == "include")

    def _matches(self, group: str, manner: str) -> bool:
        match manner:
            case "glob":
                return any(fnmatch.fnmatchcase(group, each) for each in self.patterns)
            case "regex":
                return any(re.search(each, group) for each in self.patterns)
            case _:
                return group in self.patterns


def counted(groups: Iterable[str], filters: Collection[GroupFilter]) -> tuple[str, ...]:
    """Return the groups that count: those that every filter keeps, as in Shiny Server."""
    return tuple(group for group in groups if all(each.keeps(group) for each in filters))
