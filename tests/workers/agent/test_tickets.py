"""An instance's tickets open its own sessions only."""

from agent.tickets import InstanceTickets
from chalicelib.instances.model import InstanceRef

REF = InstanceRef("a1.v1", 0, "c0ffee")


def test_a_ticket_opens_the_session_that_it_was_issued_for_at_its_own_instance() -> None:
    ours = InstanceTickets(REF, "c0" * 24)
    ticket = ours.issue("s1")
    assert ours.session_of(ticket) == "s1"
    assert ours.session_of(ticket[:-1]) is None
    assert ours.session_of("") is None
    assert InstanceTickets(REF, "d0" * 24).session_of(ticket) is None
    assert InstanceTickets(REF._replace(slot=1), "c0" * 24).session_of(ticket) is None


def test_a_ticket_that_is_too_old_opens_nothing() -> None:
    ticket = InstanceTickets(REF, "c0" * 24, lambda: 1000.0).issue("s1")
    assert InstanceTickets(REF, "c0" * 24, lambda: 1001.0).session_of(ticket) == "s1"
    assert InstanceTickets(REF, "c0" * 24, lambda: 9000.0).session_of(ticket) is None
