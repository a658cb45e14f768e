"""The table of configurations: a change is one conditional write of pointer and entry."""

from chalicelib.applying import contents
from chalicelib.applying.decision import KEPT, HistoryEntry, Pointer, outlived
from chalicelib.applying.model import HISTORY, POINTER, Change, ConfigurationRow, entry_key
from chalicelib.aws.tables import Together


def pointer() -> Pointer:
    """Read the pointer, consistently."""
    try:
        row = ConfigurationRow.get(*POINTER, consistent_read=True)
    except ConfigurationRow.DoesNotExist:
        return Pointer()
    return Pointer(
        int(row.number),
        row.configuration,
        row.previous,
        row.upload,
        int(row.upload_entry),
        float(row.at),
    )


def write(before: Pointer, after: Pointer, entry: ConfigurationRow) -> bool:
    """Write the pointer and an entry; return False if the pointer is no longer as read."""
    entry.record, entry.entry = HISTORY, entry_key(after.number)
    row = ConfigurationRow(
        *POINTER,
        number=after.number,
        configuration=after.configuration,
        previous=after.previous,
        upload=after.upload,
        upload_entry=after.upload_entry,
        at=after.at,
    )
    as_read = (
        ConfigurationRow.number == before.number
        if before.number
        else ConfigurationRow.record.does_not_exist()
    )
    together = Together()
    together.save(row, condition=as_read)
    together.save(entry)
    return together.write_if()


def history() -> list[ConfigurationRow]:
    """Read the entries, the newest first."""
    return list(
        ConfigurationRow.query(HISTORY, scan_index_forward=False, limit=KEPT, consistent_read=True)
    )


def entry(number: int) -> ConfigurationRow | None:
    """Read one entry; None: it is there no more."""
    try:
        return ConfigurationRow.get(HISTORY, entry_key(number), consistent_read=True)
    except ConfigurationRow.DoesNotExist:
        return None


def can_hold(configuration_id: str, pointer: Pointer, entries: list[ConfigurationRow]) -> bool:
    """Return whether a rollback may lead to a configuration. Pure."""
    return configuration_id in (pointer.configuration, pointer.previous) or any(
        row.configuration == configuration_id and row.change == Change.APPLIED for row in entries
    )


def tidy(bucket: str, pointer: Pointer) -> None:
    """Remove what the history holds no more. If this breaks off, the next call goes on."""
    rows = {int(row.entry): row for row in ConfigurationRow.query(HISTORY, consistent_read=True)}
    entries = [HistoryEntry(number, row.configuration) for number, row in rows.items()]
    old, unneeded = outlived(pointer, entries)
    for configuration_id in unneeded:
        contents.remove(bucket, configuration_id)
    for number in old:
        rows[number].delete()
