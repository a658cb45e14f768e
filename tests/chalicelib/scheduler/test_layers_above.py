"""After a change of the configuration, no session gets the settings of before."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.configuration.above import Above
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.declaring import LayerKind
from chalicelib.configuration.layers import Layer, Origin
from chalicelib.instances import spares, store
from chalicelib.instances.lease import new_session_id
from chalicelib.instances.model import Instance
from chalicelib.scheduler.seating import Scheduler, Seated, Starting
from tests.chalicelib.aws_in_process import empty_tables

VERSION = "0123456789ab.20261120T133144Z-3f9a"
NOW = 1_800_000_000.0
pytestmark = pytest.mark.usefixtures("dynamodb_calls")


def change(number: int, timeout: int) -> Above:
    """Return what a change of the configuration says above the app."""
    layer = Layer(Origin(LayerKind.LOCATION, "f:1"), {"app_idle_timeout": timeout})
    return Above((layer,) if timeout else (), number)


def visit(scheduler: Scheduler, above: Above) -> Instance:
    outcome = scheduler.seat(VERSION, "/hello", AppSettings(), new_session_id(), above=above)
    assert isinstance(outcome, Seated | Starting)
    return outcome.instance


def ready(above: Above) -> Instance:
    row = visit(Scheduler(lambda: NOW), above)
    assert Above.of_text(row.above, int(row.above_number)) == above
    return store.mark_ready(row.ref, "10.0.0.1:8080", "token", NOW)


steps = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.booleans()), max_size=12)
timeouts = st.lists(st.integers(0, 2), min_size=5, max_size=5)


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(timeouts, steps)
def test_a_session_never_gets_layers_older_than_its_lambda_knows_and_none_come_back(
    timeouts: list[int], steps: list[tuple[int, int, bool]]
) -> None:
    """Lambdas that learn of changes at different times visit one instance.

    Its agent (``known``) reads the row when a page names a later change, as
    :meth:`agent.life.served.ServedApp.catch_up_with` does.
    """
    empty_tables()
    changes = [change(number, timeout) for number, timeout in enumerate(timeouts)]
    lambdas = [Scheduler(lambda: NOW) for _ in range(3)]
    heard = [0, 0, 0]
    first = ready(changes[0])
    known, restarts = changes[0], 0
    for at, number, programs in steps:
        heard[at] = max(heard[at], number)  # memory may be late; it never goes back
        wanted = changes[heard[at]]
        if programs:
            woken = lambdas[at].wake(VERSION, "/hello", AppSettings(), wanted)
            assert isinstance(woken, Instance)
            row = woken
        else:
            row = visit(lambdas[at], wanted)
        assert row.instance_id == first.instance_id
        if int(row.above_number) > known.number:
            stored = store.get(row.ref)
            assert stored is not None
            assert int(stored.above_number) >= known.number
            known = Above.of_text(stored.above, int(stored.above_number))
            restarts += 1
        assert known.text == wanted.text or known.number > wanted.number
        assert known in [one for one in changes if one.number == known.number]
    assert restarts <= max(heard), "each change restarts at most once"


def test_a_change_that_does_not_concern_the_app_costs_nothing(
    dynamodb_calls: Counter[str],
) -> None:
    ready(change(1, 7))
    scheduler = Scheduler(lambda: NOW)
    visit(scheduler, change(1, 7))
    dynamodb_calls.clear()
    visit(scheduler, change(2, 7))
    assert dynamodb_calls == {"UpdateItem": 1}
    visit(scheduler, change(3, 8))
    assert dynamodb_calls == {"UpdateItem": 3}
    dynamodb_calls.clear()
    visit(scheduler, change(3, 8))
    assert dynamodb_calls == {"UpdateItem": 1}


def test_two_locations_of_one_app_do_not_restart_it_by_turns() -> None:
    ready(change(1, 7))
    scheduler = Scheduler(lambda: NOW)
    assert {visit(scheduler, change(1, timeout)).above for timeout in (7, 8, 7)} == {
        change(1, 7).text
    }


def test_a_bound_spare_has_the_layers_of_the_location() -> None:
    spare = spares.claim("large", NOW)
    store.mark_ready(spare.ref, "10.0.0.1:8080", "token", NOW)
    row = visit(Scheduler(lambda: NOW, ["large"]), change(4, 9))
    assert row.was_spare
    stored = store.get(row.ref)
    assert stored is not None
    assert Above.of_text(stored.above, int(stored.above_number)) == change(4, 9)
