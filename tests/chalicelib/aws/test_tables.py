"""Writes that meet a transaction, which moto lets through in no time: DynamoDB refuses them while
it is in flight.
"""

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from pynamodb.exceptions import DeleteError, PynamoDBException, UpdateError

from chalicelib.aws import tables
from chalicelib.aws.tables import CONNECT_SECONDS, READ_SECONDS
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances import spares, store
from chalicelib.instances.model import Instance
from chalicelib.lambdas.schema import TABLES
from chalicelib.publishing.model import Bundle
from chalicelib.scheduler.seating import Scheduler, Starting
from tests.chalicelib.direct_dynamodb import direct_dynamodb

VERSION = "0123456789ab.20261120T133144Z-3f9a"
NOW = 1_800_000_000.0
pytestmark = pytest.mark.usefixtures("dynamodb_calls")


def spare() -> Instance:
    claimed = spares.claim("large", NOW)
    return store.mark_ready(claimed.ref, "10.0.0.1:8080", "token", NOW)


def bind(row: Instance, session_id: str) -> Instance | None:
    return spares.bind(
        row,
        VERSION,
        0,
        app="/hello",
        capacity=9,
        session_id=session_id,
        lease=NOW + 180,
        now=NOW,
        seen=None,
    )


def in_flight(
    operation: str, times: int, then: Callable[[], object] = lambda: None
) -> Callable[[str], None]:
    """What an operation meets ``times`` times before the transaction is through."""
    met: list[str] = []

    def before(called: str) -> None:
        if called == operation and len(met) < times:
            met.append(called)
            if len(met) == times:
                then()
            raise ClientError(
                {"Error": {"Code": "TransactionConflictException", "Message": "in flight"}},
                operation,
            )

    return before


def test_of_two_first_visitors_and_one_spare_the_slower_one_gets_a_seat_beside_the_other() -> None:
    row = spare()
    claims = in_flight("PutItem", 3, lambda: bind(row, "faster"))

    def before(operation: str) -> None:
        if operation == "TransactWriteItems" and store.in_slot(VERSION, 0) is None and not binding:
            binding.append(operation)
            raise ClientError(
                {
                    "Error": {
                        "Code": "TransactionCanceledException",
                        "Message": "TransactionConflict",
                    }
                },
                operation,
            )
        claims(operation)

    binding: list[str] = []
    with direct_dynamodb(before):
        outcome = Scheduler(lambda: NOW, {"large"}).seat(VERSION, "/hello", AppSettings(), "slower")
    assert not isinstance(outcome, Starting)
    found = store.in_slot(VERSION, 0)
    assert found is not None
    assert set(store.seats_of(found)) == {"faster", "slower"}


def test_a_seat_goes_back_and_a_state_is_written_when_the_transaction_is_through() -> None:
    bound = bind(spare(), "a")
    assert bound is not None
    for write in (
        lambda: store.give_back(bound.ref, "a"),
        lambda: store.mark_ready(bound.ref, "10.0.0.2:8080", "newer", NOW),
        lambda: store.mark_stopped(bound.ref, None, NOW),
    ):
        with direct_dynamodb(in_flight("UpdateItem", 2)):
            assert write()


def test_a_transaction_that_never_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    bound = bind(spare(), "a")
    assert bound is not None
    monkeypatch.setattr("chalicelib.aws.tables._PAUSES", (0.001, 0.001))
    with direct_dynamodb(in_flight("UpdateItem", 99)), pytest.raises(UpdateError):
        store.give_back(bound.ref, "a")


def test_a_conditional_write_says_whether_its_condition_held() -> None:
    row = Bundle("uploads/hello.zip", sequencer="1", etag="e", location="/hello", version=None)
    row.status, row.message, row.updated_at = "received", "The upload has arrived.", NOW
    new, known = Bundle.key.does_not_exist(), Bundle.sequencer == "1"
    assert row.save_if(new)
    assert not row.save_if(new)
    assert row.update_if(known, [Bundle.sequencer.set("2")])
    assert row.sequencer == "2", "the object has what the row has now"
    assert not row.update_if(known, [Bundle.sequencer.set("3")])
    assert row.sequencer == "2"
    assert not row.delete_if(known)
    assert row.delete_if(Bundle.sequencer == "2")
    assert row.save_if(new), "it is gone"


def test_of_several_writes_all_or_none_are_made() -> None:
    first, second = spare(), spare()
    for condition, held in ((Instance.state == "READY", True), (Instance.state == "READY", False)):
        together = tables.Together()
        for row in (first, second):
            together.update(row, [Instance.state.set("DRAINING")], condition)
        assert together.write_if() is held
    half = tables.Together()
    half.update(first, [Instance.app.set("/a")], Instance.state == "DRAINING")
    half.update(second, [Instance.app.set("/a")], Instance.state == "READY")
    assert not half.write_if()
    assert {store.get(row.ref).app for row in (first, second)} == {""}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "ResourceNotFoundException"]
)
def test_a_write_that_fails_otherwise_is_an_error_and_no_refusal(code: str) -> None:
    def fail(operation: str) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)

    row = spare()
    together = tables.Together()
    together.update(row, [Instance.app.set("/a")], Instance.state == "READY")
    writes: tuple[Callable[[], object], ...] = (
        lambda: row.save_if(Instance.state == "READY"),
        lambda: row.update_if(Instance.state == "READY", [Instance.app.set("/a")]),
        lambda: row.delete_if(Instance.state == "READY"),
        together.write_if,
    )
    with direct_dynamodb(fail):
        for write in writes:
            with pytest.raises(PynamoDBException):
                write()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.short_name)
def test_a_call_gives_up_before_the_gateway_does(table: type[tables.Table]) -> None:
    connection = table._get_connection().connection
    config = connection.client.meta.config
    attempts = config.retries["total_max_attempts"]
    assert attempts > 1, "the first one may meet a dead connection"
    assert attempts * (config.connect_timeout + config.read_timeout) < 25


def test_all_tables_and_transactions_share_one_client() -> None:
    clients = [table._get_connection().connection.client for table in TABLES]
    assert all(client is tables.Together()._connection.client for client in clients)


def test_a_transaction_is_no_more_patient() -> None:
    config = tables.Together()._connection.client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (CONNECT_SECONDS, READ_SECONDS)


def test_an_error_of_the_connection_is_no_refusal_and_is_raised() -> None:
    def before(_operation: str) -> None:
        raise ReadTimeoutError(endpoint_url="http://localhost")

    row = Bundle("uploads/slow.zip")
    with direct_dynamodb(before), pytest.raises(DeleteError):
        row.delete_if(Bundle.key.exists())
