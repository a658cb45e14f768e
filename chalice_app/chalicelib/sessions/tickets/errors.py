"""Errors of tickets."""

from chalicelib.errors import Forbidden


class BadTicket(Forbidden):
    """The ticket is malformed, expired, forged, or for an instance that is gone.

    Loading the page again gives a new ticket.
    """
