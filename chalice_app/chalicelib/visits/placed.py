"""What a configuration makes of a request: an answer, or an app with what holds above it."""

from typing import NamedTuple

from chalicelib.apps.directory import AppAtPath, NothingAtPath, RedirectAtPath
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.pages import Templates
from chalicelib.visits.answer import Answer


class Answered(NamedTuple):
    """An answer, as the operator's templates show it, and the settings that hold there."""

    answer: Answer
    settings: AppSettings


class Placed(NamedTuple):
    """What is published at a path, or the app in a folder."""

    found: AppAtPath | RedirectAtPath | NothingAtPath
    templates: Templates | None = None
    """The operator's templates of Sheen's pages there."""
