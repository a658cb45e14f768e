"""CloudWatch Logs' API over files."""

import asyncio
import base64
import contextlib
import itertools
import json
import logging
import re
import shlex
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web

from infra.emulator.aws_errors import AwsError
from infra.emulator.keys import AccessKey
from infra.emulator.logs.copies import Copy
from infra.emulator.logs.files import FUTURE_MS, LogEvent, LogFile, events_between

LOG = logging.getLogger(__name__)
BATCH_BYTES = 1_048_576
BATCH_EVENTS = 10_000
BATCH_SPAN_MS = 24 * 3600 * 1000
EVENT_BYTES = 256 * 1024
EVENT_OVERHEAD = 26
OLDEST_MS = 14 * 24 * 3600 * 1000
PAGE_EVENTS = 10_000
PAGE_BYTES = 1_048_576
PAGE_STREAMS = 50
_STREAM_NAME = re.compile(r"[^:*\s]{1,512}")


class FileName(NamedTuple):
    """The name of a stream's file, and its mode."""

    name: str
    mode: int
    copy: Copy | None = None
    """A second file, which has the lines only."""


class LogGroupFiles:
    """The streams of one log group, each a file in ``folder``."""

    def __init__(
        self,
        folder: Path,
        retention_days: int,
        file_name: Callable[[str, float], Awaitable[FileName]],
    ) -> None:
        """Find the streams that an earlier run left.

        Streams whose last write is older than ``retention_days`` are left out.
        """
        self._folder = folder
        self._file_name = file_name
        self.streams: dict[str, LogFile] = {}
        self._copies: dict[str, Copy] = {}
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
        oldest = time.time() - retention_days * 24 * 3600
        for path in sorted(folder.glob("*.log")):
            if path.stat().st_mtime < oldest:
                path.unlink()
            elif (found := LogFile.find(path)) is not None:
                self.streams[found.stream] = found

    async def create(self, stream: str) -> None:
        """Create a stream; raise :class:`AwsError` if one with this name exists."""
        now = time.time()
        name, mode, copy = await self._file_name(stream, now)
        if stream in self.streams:
            raise AwsError(
                "ResourceAlreadyExistsException", "The specified log stream already exists"
            )
        path = self._folder / name
        for number in itertools.count(2):
            if not path.exists():
                break
            path = self._folder / f"{name.removesuffix('.log')}-{number}.log"
        self.streams[stream] = LogFile.create(stream, path, mode, int(now * 1000))
        if copy is not None:
            self._copies[stream] = copy
            self._copied(stream, [])

    def find(self, stream: str) -> LogFile:
        """Return a stream; raise :class:`AwsError` if there is none."""
        try:
            return self.streams[stream]
        except KeyError:
            raise AwsError(
                "ResourceNotFoundException", "The specified log stream does not exist."
            ) from None

    def append(self, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Append events, as :meth:`LogFile.append` does; raise :class:`AwsError`."""
        self.find(stream).append(events)
        self._copied(stream, [text for _, text in events])

    def delete(self, stream: str) -> None:
        """Remove a stream with its files."""
        self.find(stream).path.unlink(missing_ok=True)
        del self.streams[stream]
        copy = self._copies.pop(stream, None)
        if copy is not None:
            with contextlib.suppress(OSError):
                copy.remove()

    def _copied(self, stream: str, texts: Sequence[str]) -> None:
        """Write lines to a stream's second file; give that up, and say so, if it fails."""
        copy = self._copies.get(stream)
        if copy is None:
            return
        try:
            copy.append(texts)
        except OSError as error:
            del self._copies[stream]
            LOG.warning("%s: no log is written to %s: %s", stream, copy.folder, error)


class LogsApi:
    """Answers operations on the streams of the declared groups; moto answers the rest."""

    def __init__(self, groups: Mapping[str, LogGroupFiles]) -> None:
        """Create the API; ``groups`` are by their full names."""
        self._groups = groups

    async def handle(
        self, _request: web.Request, operation: str, body: bytes, _key: AccessKey
    ) -> web.Response | None:
        """Answer one call."""
        parameters: dict[str, Any] = json.loads(body or b"{}")
        group = self._groups.get(_group_name(parameters))
        if group is None:
            return None
        match operation:
            case "CreateLogStream":
                document = await self._create(group, parameters)
            case "DeleteLogStream":
                group.delete(_required(parameters, "logStreamName"))
                document = {}
            case "PutLogEvents":
                document = _put(group, parameters)
            case "DescribeLogStreams":
                document = _describe(group, parameters)
            case "FilterLogEvents":
                document = await asyncio.to_thread(
                    _filter, list(group.streams.values()), parameters
                )
            case "GetLogEvents":
                document = await asyncio.to_thread(
                    _get, group.find(_required(parameters, "logStreamName")), parameters
                )
            case _:
                return None
        return web.json_response(document, content_type="application/x-amz-json-1.1")

    async def _create(self, group: LogGroupFiles, parameters: Mapping[str, Any]) -> dict[str, Any]:
        name = _required(parameters, "logStreamName")
        if not _STREAM_NAME.fullmatch(name):
            raise AwsError(
                "InvalidParameterException",
                f"logStreamName {name!r} has more than 512 characters, a colon, a * or a space",
            )
        await group.create(name)
        return {}


def _group_name(parameters: Mapping[str, Any]) -> str:
    """Return the name of the group in a call, which gives its name or its ARN."""
    text = str(parameters.get("logGroupName") or parameters.get("logGroupIdentifier") or "")
    return text.partition(":log-group:")[2].removesuffix(":*") if text.startswith("arn:") else text


def _required(parameters: Mapping[str, Any], name: str) -> str:
    value = parameters.get(name)
    if not isinstance(value, str) or not value:
        raise AwsError("InvalidParameterException", f"{name} is required")
    return value


def _put(group: LogGroupFiles, parameters: Mapping[str, Any]) -> dict[str, Any]:
    file = group.find(_required(parameters, "logStreamName"))
    events = [
        (int(event["timestamp"]), str(event["message"]))
        for event in parameters.get("logEvents", [])
    ]
    sizes = [len(text.encode()) for _, text in events]
    if not 1 <= len(events) <= BATCH_EVENTS:
        raise AwsError("InvalidParameterException", f"a batch has 1 to {BATCH_EVENTS} log events")
    if min(sizes) < 1 or max(sizes) + EVENT_OVERHEAD > EVENT_BYTES:
        raise AwsError(
            "InvalidParameterException",
            f"Log event too large, or empty: at most {EVENT_BYTES} bytes",
        )
    if sum(sizes) + EVENT_OVERHEAD * len(events) > BATCH_BYTES:
        raise AwsError(
            "InvalidParameterException", f"Upload too large: more than {BATCH_BYTES} bytes"
        )
    times = [at_ms for at_ms, _ in events]
    if times != sorted(times):
        raise AwsError(
            "InvalidParameterException",
            "Log events in a single PutLogEvents request must be in chronological order.",
        )
    if times[-1] - times[0] > BATCH_SPAN_MS:
        raise AwsError(
            "InvalidParameterException",
            "The batch of log events in a single PutLogEvents request cannot span more "
            "than 24 hours.",
        )
    now_ms = int(time.time() * 1000)
    old = sum(at_ms < now_ms - OLDEST_MS for at_ms in times)
    new = sum(at_ms > now_ms + FUTURE_MS for at_ms in times)
    group.append(file.stream, events[old : len(events) - new])
    rejected: dict[str, int] = {}
    if old:
        rejected["tooOldLogEventEndIndex"] = old
    if new:
        rejected["tooNewLogEventStartIndex"] = len(events) - new
    return {"nextSequenceToken": "0", **({"rejectedLogEventsInfo": rejected} if rejected else {})}


def _describe(group: LogGroupFiles, parameters: Mapping[str, Any]) -> dict[str, Any]:
    prefix, by_time = (
        parameters.get("logStreamNamePrefix", ""),
        parameters.get("orderBy") == "LastEventTime",
    )
    if prefix and by_time:
        raise AwsError(
            "InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix."
        )
    files = [file for name, file in group.streams.items() if name.startswith(prefix)]
    files.sort(
        key=lambda file: (file.last_ms or 0, file.stream) if by_time else (0, file.stream),
        reverse=bool(parameters.get("descending")),
    )
    start, limit = (
        int(parameters.get("nextToken") or 0),
        int(parameters.get("limit") or PAGE_STREAMS),
    )
    document: dict[str, Any] = {
        "logStreams": [
            {
                "logStreamName": file.stream,
                "creationTime": file.created_ms,
                "storedBytes": 0,
                **(
                    {"firstEventTimestamp": file.first_ms, "lastEventTimestamp": file.last_ms}
                    if file.blocks
                    else {}
                ),
            }
            for file in files[start : start + limit]
        ]
    }
    if len(files) > start + limit:
        document["nextToken"] = str(start + limit)
    return document


def _filter(files: Iterable[LogFile], parameters: Mapping[str, Any]) -> dict[str, Any]:
    names, prefix = parameters.get("logStreamNames"), parameters.get("logStreamNamePrefix", "")
    if names and prefix:
        raise AwsError(
            "InvalidParameterException",
            "logStreamNames and logStreamNamePrefix cannot be used together.",
        )
    wanted = [
        file
        for file in files
        if (file.stream in names if names else file.stream.startswith(prefix))
    ]
    matches = _pattern(parameters.get("filterPattern", ""))
    after = _after(parameters.get("nextToken"))
    start = max(int(parameters.get("startTime") or 0), after[0])
    limit = min(int(parameters.get("limit") or PAGE_EVENTS), PAGE_EVENTS)
    end = {"end_ms": int(parameters["endTime"])} if "endTime" in parameters else {}
    found: list[LogEvent] = []
    size, more = 0, False
    for event in events_between(wanted, start, **end):
        if (event.at_ms, event.event_id) <= after or not matches(event.message):
            continue
        size += len(event.message.encode())
        if len(found) == limit or (found and size > PAGE_BYTES):
            more = True
            break
        found.append(event)
    document: dict[str, Any] = {
        "events": [
            {**_shown(event), "logStreamName": event.stream, "eventId": event.event_id}
            for event in found
        ],
        "searchedLogStreams": [],
    }
    if more:
        document["nextToken"] = base64.b64encode(
            json.dumps([found[-1].at_ms, found[-1].event_id]).encode()
        ).decode()
    return document


def _after(token: str | None) -> tuple[int, str]:
    """Return the position after which a page begins."""
    if not token:
        return (0, "")
    try:
        at_ms, event_id = json.loads(base64.b64decode(token))
        return (int(at_ms), str(event_id))
    except ValueError:
        raise AwsError("InvalidParameterException", "The specified nextToken is invalid.") from None


def _get(file: LogFile, parameters: Mapping[str, Any]) -> dict[str, Any]:
    end = {"end_ms": int(parameters["endTime"]) - 1} if "endTime" in parameters else {}
    events = list(events_between([file], int(parameters.get("startTime") or 0), **end))
    limit, token = (
        min(int(parameters.get("limit") or PAGE_EVENTS), PAGE_EVENTS),
        str(parameters.get("nextToken") or ""),
    )
    kind, _, number = token.partition("/")
    if token and (kind not in ("f", "b") or not number.isdigit()):
        raise AwsError("InvalidParameterException", "The specified nextToken is invalid.")
    if kind == "f":
        first = int(number)
    elif kind == "b":
        first = max(0, int(number) - limit)
        limit = int(number) - first
    else:
        first = 0 if parameters.get("startFromHead") else max(0, len(events) - limit)
    page = events[first : first + limit]
    return {
        "events": [_shown(event) for event in page],
        "nextForwardToken": f"f/{first + len(page)}",
        "nextBackwardToken": f"b/{first}",
    }


def _shown(event: LogEvent) -> dict[str, Any]:
    return {"timestamp": event.at_ms, "ingestionTime": event.at_ms, "message": event.message}


def _pattern(pattern: str) -> Callable[[str], bool]:
    """Return a function that tests a text against a filter pattern.

    All terms must occur. Of the terms with ``?`` in front, at least one must. Those with ``-`` in
    front must not.
    """
    if pattern.strip().startswith(("{", "[", "%")):
        raise AwsError(
            "InvalidParameterException",
            f"filterPattern {pattern}: locally only terms can be looked for",
        )
    try:
        terms = shlex.split(pattern)
    except ValueError as error:
        raise AwsError("InvalidParameterException", f"filterPattern {pattern}: {error}") from None
    never = [term[1:] for term in terms if term.startswith("-")]
    some = [term[1:] for term in terms if term.startswith("?")]
    every = [term for term in terms if not term.startswith(("-", "?"))]

    def matches(text: str) -> bool:
        return (
            all(term in text for term in every)
            and not any(term in text for term in never)
            and (not some or any(term in text for term in some))
        )

    return matches
