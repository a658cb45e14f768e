"""A ticket: a short-lived signed pass, put into the page, that the socket shows when it connects.

It is ``<claims>.<signature>``, both base64url without padding, so that it can be a WebSocket
subprotocol. URLs get logged; that header does not.
"""

from chalicelib.sessions.tickets.errors import BadTicket
from chalicelib.sessions.tickets.ticket import LIFETIME, Ticket, check, instance_of, issue

__all__ = ["LIFETIME", "BadTicket", "Ticket", "check", "instance_of", "issue"]
