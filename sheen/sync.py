"""``sheen sync``."""

from collections.abc import Sequence

from chalicelib.settings import Settings
from chalicelib.syncs import store
from sheen.console import say
from sheen.syncs import BadWords, define


def sync(settings: Settings, words: Sequence[str]) -> None:
    """``define NAME [KEY=VALUE …]`` or ``remove NAME``."""
    match words:
        case ["define", name, *changes]:
            define(settings, name, changes)
        case ["remove", name]:
            store.remove(name)
            say(f"{name} is not synced any more; its folder and its apps' access to it stay as they are")
        case _:
            raise BadWords("write `sheen sync define NAME [KEY=VALUE …]` or `sheen sync remove NAME`")
