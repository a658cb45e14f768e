"""Decide which pages without a connection give up their seats while visitors queue. Pure.

The agent calls this. A page gets its seat before its connection, because a browser needs a moment
to connect. Without this rule, a visitor who opens pages and never connects could take every seat.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from chalicelib.configuration.app_settings import AppSettings

SETTLED = 4.0
"""Seconds in which a page's connection usually comes. A younger page is left alone."""


class OpenPage(NamedTuple):
    """A page without a connection."""

    session_id: str
    address: str
    """Where it was opened from, see :mod:`chalicelib.visits.address`; empty if unknown."""
    opened_at: float


class CrowdLimits(NamedTuple):
    """What pages without a connection may have while visitors queue."""

    timeout: float
    """Seconds that such a page keeps its seat."""
    share: float
    """The share of all seats that these pages may have together."""
    per_address: int
    """How many of these pages may come from one address; 0 means no limit."""

    @classmethod
    def of(cls, settings: AppSettings) -> "CrowdLimits":
        return cls(
            settings.queue_page_timeout, settings.queue_page_share, settings.queue_per_address
        )


def giving_way(
    pages: Iterable[OpenPage], now: float, capacity: int, limits: CrowdLimits
) -> list[str]:
    """Return the sessions whose pages give up their seats.

    ``pages`` are all the pages without a connection of an instance with ``capacity`` seats. First
    go the pages that are older than the timeout. Next go the pages beyond an address's limit. Then,
    while the rest exceeds its share of the seats, pages of the address that has the most go. Within
    an address the oldest page goes first. No page younger than :data:`SETTLED` goes.
    """
    by_address: defaultdict[str, list[OpenPage]] = defaultdict(list)
    for page in sorted(pages, key=lambda page: (page.opened_at, page.session_id)):
        by_address[page.address].append(page)
    gone: list[OpenPage] = []

    def oldest_goes(address: str) -> bool:
        if not by_address[address] or now - by_address[address][0].opened_at < SETTLED:
            return False
        gone.append(by_address[address].pop(0))
        return True

    for address, opened in by_address.items():
        while opened and now - opened[0].opened_at >= limits.timeout and oldest_goes(address):
            pass
        while (
            address
            and limits.per_address
            and len(opened) > limits.per_address
            and oldest_goes(address)
        ):
            pass
    left = sum(map(len, by_address.values()))
    while left > limits.share * capacity:
        for address in sorted(
            by_address, key=lambda address: len(by_address[address]), reverse=True
        ):
            if oldest_goes(address):
                left -= 1
                break
        else:
            break
    return [page.session_id for page in gone]
