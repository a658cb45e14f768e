"""Errors of tickets."""

from chalicelib.errors import SheenError


class BadTicket(SheenError):
    """The ticket is malformed, expired, forged, or for an instance that is gone.

    Loading the page again gives a new ticket.
    """
