"""Act on the records of a table's stream. Runs outside the VPC.

Lambda delivers records in order and at least once (FACTS H4): whatever is done with a record must
be safe to do again. :func:`each` tells Lambda which records to deliver again. Lambda then delivers
these and all later ones, until they are accepted or too old
(:class:`infra.declared.functions.StreamReading`).
"""

import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self, TypedDict

from botocore.exceptions import ClientError, HTTPClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib import telemetry

_COMES_BACK = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
    }
)

Image = Mapping[str, Mapping[str, Any]]
"""An item as DynamoDB spells it: attribute → type → value."""


class ItemChange(NamedTuple):
    """One change of an item."""

    number: str
    """Its sequence number, by which Lambda is told to deliver it again."""
    event: str
    """``INSERT``, ``MODIFY`` or ``REMOVE``."""
    keys: Image
    old: Image
    """The item before the change; empty if it is new, or if the stream has no images."""
    new: Image
    """The item after the change; empty if it was removed, or if the stream has no images."""

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Read a stream record. Pure."""
        about = record.get("dynamodb") or {}
        return cls(
            str(about.get("SequenceNumber", "")),
            str(record.get("eventName", "")),
            about.get("Keys") or {},
            about.get("OldImage") or {},
            about.get("NewImage") or {},
        )


class _Failure(TypedDict):
    itemIdentifier: str  # Lambda's name


class Accepted(TypedDict):
    """The answer to Lambda: the records that it delivers again (ReportBatchItemFailures)."""

    batchItemFailures: list[_Failure]  # Lambda's name


class NotYet(Exception):
    """A record cannot be dealt with now; Lambda delivers it again."""


def each(records: Iterable[Mapping[str, Any]], act: Callable[[ItemChange], None]) -> Accepted:
    """Act on each record, and return which records Lambda delivers again.

    A failure that may pass concerns its own record only: those after it are dealt with now. Any
    other failure is logged and the record is skipped, because it would fail again and hold up all
    records behind it. So what depends on a record must also be noticed in another way.
    """
    again: list[_Failure] = []
    for record in records:
        change = ItemChange.of(record)
        try:
            act(change)
        except Exception as error:
            if may_pass(error) and change.number:
                telemetry.logger.warning(
                    "a record comes again", extra={"error": type(error).__name__}
                )
                again.append({"itemIdentifier": change.number})
            else:
                # The message of an error may quote the item.
                telemetry.logger.error(
                    "a record is skipped",
                    extra={"error": type(error).__name__, "where": where(error)},
                )
    return {"batchItemFailures": again}


def may_pass(error: BaseException) -> bool:
    """Return whether the same call may succeed later. Pure."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error.response["Error"]["Code"] in _COMES_BACK or status >= 500
    if isinstance(error, PynamoDBException):
        return error.cause is not None and may_pass(error.cause)
    return isinstance(error, NotYet | HTTPClientError)


def where(error: BaseException) -> list[str]:
    """Return the places in the code that an error came through, without its message."""
    return [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
