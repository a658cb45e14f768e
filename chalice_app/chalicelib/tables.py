"""What all of Sheen's DynamoDB tables share."""

from pynamodb.connection import Connection
from pynamodb.exceptions import PynamoDBException, TransactWriteError
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib.settings import Settings


class Table(Model):
    """A PynamoDB model whose table is ``SHEEN_TABLE_PREFIX`` + ``short_name``.

    Where the table lives comes from ``AWS_REGION`` and ``AWS_ENDPOINT_URL`` (FACTS M6). ``kept`` says whether its items are what
    people published and configured, which must survive everything, or what is running now.
    """

    short_name: str
    kept: bool = False

    class Meta:
        table_name = ""


def bind(settings: Settings, *tables: type[Table]) -> None:
    """Name the tables of this deployment; called once per process, before their first use."""
    for table in tables:
        table.Meta.table_name = settings.table_prefix + table.short_name


def transaction() -> TransactWrite:
    """Return a write of several items, all of them or none (FACTS D2): ``with transaction() as write: write.update(…)``.

    Leaving the ``with`` raises :class:`pynamodb.exceptions.TransactWriteError`; see :func:`refused`.
    """
    return TransactWrite(connection=Connection())


def refused(error: PynamoDBException) -> bool:
    """Whether a write failed by its condition, or by another write at the same moment: then nothing was written."""
    if isinstance(error, TransactWriteError):
        return error.cause_response_code == "TransactionCanceledException"
    return error.cause_response_code == "ConditionalCheckFailedException"
