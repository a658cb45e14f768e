"""The base of all of Sheen's DynamoDB tables."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from pynamodb.connection import Connection, TableConnection
from pynamodb.exceptions import GetError, PynamoDBException, TableError, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib.configuration.deployment import Settings

T = TypeVar("T")
_PAUSES = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
"""Seconds between the attempts to write an item that is in a transaction."""
CONNECT_SECONDS, READ_SECONDS, RETRIES = 2, 3, 3
"""The limits of one call.

The first attempt of an environment that was frozen may meet a dead connection. All attempts
together take no longer than a gateway waits (FACTS H1).
"""


class Table(Model):
    """A PynamoDB model whose table is ``SHEEN_TABLE_PREFIX`` + ``short_name``.

    The table's place comes from ``AWS_REGION`` and ``AWS_ENDPOINT_URL`` (FACTS M6). ``kept`` says
    whether the items are what people published and configured, which must survive everything, or
    what is running now.

    A write to an item in an unfinished transaction (FACTS D2) waits for the transaction's end. Only
    then is it known whether the write's condition holds.
    """

    short_name: str
    kept: bool = False

    class Meta:
        table_name = ""

    @classmethod
    def bound(cls, settings: Settings) -> None:
        """Read what else the rows depend on from the deployment's settings."""

    @classmethod
    def _get_connection(cls) -> TableConnection:
        """Return the table's connection, which is on the one that all tables share."""
        own = super()._get_connection()
        shared = _shared()
        if own.connection is not shared:
            described = own.get_meta_table()
            own.connection = shared
            try:
                shared.get_meta_table(own.table_name)
            except TableError:
                shared.add_meta_table(described)
        return own

    def save(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Save the item like PynamoDB, after any transaction on it."""
        return _after_transactions(lambda: super(Table, self).save(*args, **kwargs))

    def update(self, *args: Any, **kwargs: Any) -> Any:
        """Update the item like PynamoDB, after any transaction on it."""
        return _after_transactions(lambda: super(Table, self).update(*args, **kwargs))

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """Delete the item like PynamoDB, after any transaction on it."""
        return _after_transactions(lambda: super(Table, self).delete(*args, **kwargs))

    def save_if(self, condition: Condition) -> bool:
        """Save the item if the condition holds; return whether it did."""
        return _unless_refused(lambda: self.save(condition=condition))

    def update_if(self, condition: Condition, actions: Sequence[Action]) -> bool:
        """Update the item if the condition holds; return whether it did.

        Afterwards the attributes of this object are those of the row. If the condition does not
        hold, they are unchanged.
        """
        return _unless_refused(lambda: self.update(actions=list(actions), condition=condition))

    def delete_if(self, condition: Condition) -> bool:
        """Delete the item if the condition holds; return whether it did."""
        return _unless_refused(lambda: self.delete(condition=condition))


class Together(TransactWrite):
    """A write of several items, all of them or none (FACTS D2).

    Collect the writes with PynamoDB's ``update``, ``save``, ``delete`` and ``condition_check``,
    then call :meth:`write_if`.
    """

    def __init__(self) -> None:
        super().__init__(connection=_shared())

    def write_if(self) -> bool:
        """Write all items if all of their conditions hold; return whether they did.

        Return False also if another write to one of the items was faster.
        """
        return _unless_refused(self._commit)


def bind(settings: Settings, *tables: type[Table]) -> None:
    """Set the names of tables; called once per process, before their first use."""
    for table in tables:
        table.Meta.table_name = settings.table_prefix + table.short_name
        table.bound(settings)


@cache
def _shared() -> Connection:
    """Return the connection of all tables.

    Making one takes a tenth of a second, and its first call opens a connection to DynamoDB.
    """
    return Connection(
        connect_timeout_seconds=CONNECT_SECONDS,
        read_timeout_seconds=READ_SECONDS,
        max_retry_attempts=RETRIES,
    )


def read_together(
    wanted: Mapping[type[Table], Collection[tuple[str, ...]]], *, consistent: bool = False
) -> list[Table]:
    """Read items of several tables (at most 100) in one call (FACTS D3), leaving out missing ones.

    A key is a hash key, with a range key if the table has one.

    PynamoDB reads one table per call, so this makes the call itself. Raise :class:`GetError` if
    DynamoDB leaves items unread.
    """
    models = {model.Meta.table_name: model for model in wanted}
    asked: dict[str, Any] = {
        model.Meta.table_name: {
            "Keys": [_key(model, key) for key in dict.fromkeys(keys)],
            "ConsistentRead": consistent,
        }
        for model, keys in wanted.items()
        if keys
    }
    found: list[Table] = []
    for pause in (*_PAUSES, None):
        if not asked:
            return found
        connection = next(iter(wanted))._get_connection().connection
        answer = connection.dispatch("BatchGetItem", {"RequestItems": asked})
        for name, items in answer["Responses"].items():
            found += (models[name].from_raw_data(item) for item in items)
        asked = answer.get("UnprocessedKeys") or {}
        if asked and pause is not None:
            time.sleep(pause)
    raise GetError(f"DynamoDB left items of {', '.join(asked)} unread; try again")


def _key(model: type[Table], key: tuple[str, ...]) -> dict[str, Any]:
    every = model.get_attributes().values()
    keys = [each for each in every if each.is_hash_key] + [
        each for each in every if each.is_range_key
    ]
    return {
        attribute.attr_name: {attribute.attr_type: attribute.serialize(value)}
        for attribute, value in zip(keys, key, strict=True)
    }


def _unless_refused(write: Callable[[], object]) -> bool:
    """Write; return False if the condition or a concurrent transaction refused it."""
    try:
        write()
    except PynamoDBException as error:
        if _is_refusal(error):
            return False
        raise
    return True


def _is_refusal(error: PynamoDBException) -> bool:
    if isinstance(error, TransactWriteError):
        return _code(error) == "TransactionCanceledException"
    return _code(error) == "ConditionalCheckFailedException"


def _after_transactions(write: Callable[[], T]) -> T:
    for pause in _PAUSES:
        try:
            return write()
        except PynamoDBException as error:
            if _code(error) != "TransactionConflictException":
                raise
        time.sleep(pause)
    return write()


def _code(error: PynamoDBException) -> str | None:
    """Return DynamoDB's own name of an error, or None if DynamoDB gave no answer.

    PynamoDB's ``cause_response_code`` breaks on an error of the connection.
    """
    response = getattr(error.cause, "response", None) or {}
    code: str | None = response.get("Error", {}).get("Code")
    return code
