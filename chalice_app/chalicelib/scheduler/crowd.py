"""Which pages give their seat up while others queue: those whose connection does not come. Pure; the agent asks.

A page has its seat before its connection: a browser needs a moment. Who opens pages and never connects would have all seats that way.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from chalicelib.configuration.app_settings import AppSettings

SETTLED = 4.0
"""Seconds in which a page's connection usually comes: a younger page is left alone."""


class OpenPage(NamedTuple):
    """A page without a connection."""

    session_id: str
    address: str
    """Where it was opened from, see :mod:`chalicelib.visits.address`; empty: nobody knows."""
    opened_at: float


class CrowdLimits(NamedTuple):
    """What pages without a connection may have while others queue."""

    timeout: float
    """Seconds that one of them keeps its seat."""
    share: float
    """The part of all seats that they may have together."""
    per_address: int
    """How many of them may be of one address; 0: any number."""

    @classmethod
    def of(cls, settings: AppSettings) -> "CrowdLimits":
        return cls(settings.queue_page_timeout, settings.queue_page_share, settings.queue_per_address)


def giving_way(pages: Iterable[OpenPage], now: float, capacity: int, limits: CrowdLimits) -> list[str]:
    """Return the sessions whose pages give their seat up, given all pages without a connection of an instance with ``capacity`` seats.

    First those whose time is over; then those beyond the limit of an address; then, while they are more than their share, those of the
    address that has most. The oldest go first, and none that is younger than :data:`SETTLED`.
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
        while address and limits.per_address and len(opened) > limits.per_address and oldest_goes(address):
            pass
    left = sum(map(len, by_address.values()))
    while left > limits.share * capacity:
        for address in sorted(by_address, key=lambda address: len(by_address[address]), reverse=True):
            if oldest_goes(address):
                left -= 1
                break
        else:
            break
    return [page.session_id for page in gone]
