"""Tickets: good ones pass, and nothing else does."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.instances.model import InstanceRef
from chalicelib.instances.secret import Purpose, key_for, new_secret
from chalicelib.sessions.tickets import BadTicket, Ticket, check, issue

REF = InstanceRef("0123456789ab.20261120T133144Z-3f9a", 3, "00112233445566ff")
KEY = key_for(new_secret(), Purpose.TICKET)
NOW = 1_800_000_000.0


def test_a_ticket_says_what_was_put_into_it() -> None:
    assert check(issue("session", REF, KEY, NOW), lambda ref: KEY, NOW) == Ticket(
        "session", REF, NOW + 600
    )


def test_a_ticket_can_be_a_subprotocol_and_part_of_a_url() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.-]{20,400}", issue("f" * 32, REF, KEY, NOW))


@given(st.integers(0, 200), st.characters(codec="ascii"))
def test_no_changed_ticket_passes(at: int, character: str) -> None:
    ticket = issue("session", REF, KEY, NOW)
    at %= len(ticket)
    changed = ticket[:at] + character + ticket[at + 1 :]
    if changed != ticket:
        with pytest.raises(BadTicket):
            check(changed, lambda ref: KEY, NOW)


@given(st.text(max_size=300))
def test_no_other_text_passes_or_breaks_it(text: str) -> None:
    with pytest.raises(BadTicket):
        check(text, lambda ref: KEY, NOW)


def test_an_expired_ticket_is_refused_without_asking_for_its_key() -> None:
    with pytest.raises(BadTicket, match="expired"):
        check(
            issue("session", REF, KEY, NOW, lifetime=5), lambda ref: pytest.fail("asked"), NOW + 5
        )


def test_a_ticket_of_an_instance_that_is_gone_is_refused() -> None:
    with pytest.raises(BadTicket, match="stopped"):
        check(issue("session", REF, KEY, NOW), lambda ref: None, NOW)


def test_keys_for_different_purposes_differ() -> None:
    secret = new_secret()
    assert len({key_for(secret, purpose) for purpose in Purpose}) == len(Purpose)
