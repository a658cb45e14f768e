"""Debian's control format.

R uses it for DESCRIPTION files, indexes of repositories and packrat.lock. This module is pure.
"""

from collections.abc import Iterator, Mapping


def records(text: str) -> Iterator[dict[str, str]]:
    """Yield each record, as field → value; continuation lines are joined by a newline.

    A line that is no field is skipped, as R does.
    """
    record: dict[str, list[str]] = {}
    field = ""
    for line in text.splitlines():
        if not line.strip():
            if record:
                yield _joined(record)
            record, field = {}, ""
        elif line[0] in " \t":
            if field:
                record[field].append(line.strip())
        elif ":" in line:
            field, _, value = line.partition(":")
            record[field] = [value.strip()]
    if record:
        yield _joined(record)


def _joined(record: Mapping[str, list[str]]) -> dict[str, str]:
    return {field: "\n".join(lines).lstrip("\n") for field, lines in record.items()}


def record(text: str) -> dict[str, str]:
    """Return the first record, or an empty one if there is none."""
    return next(records(text), {})
