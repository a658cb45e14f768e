"""moto in a process of its own: ``python -m infra.emulator.moto.process SOCKET``.

It reads its configuration as JSON from standard input, and prints ``ready``. It serves HTTP on a
unix socket that only its owner can reach, trusts all requests (the front has verified them), and
holds one lock per service around each request (FACTS M1). Beside AWS's own APIs, it answers ``GET
/-/stream/TABLE?after=N``: the table's stream records from number N on, and how many there have
been.
"""

import functools
import gc
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from moto.core import responses, utils
from moto.dynamodb.models import dynamodb_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from infra.emulator.moto import objects as moto_objects
from infra.emulator.moto import wsgi_server
from infra.emulator.settings import ACCOUNT, REGION
from infra.emulator.states import engine as states_engine

STREAM_PATH = "/-/stream/"
STREAM_RECORDS_KEPT = 2000
STREAM_BATCH = 1000

Start = Callable[..., Any]
_FORM = "application/x-www-form-urlencoded"


class LockedApplication:
    """A WSGI application that admits one request at a time to each service."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._applications: dict[tuple[str, str], Any] = {}
        """Applications by service and target; finding one costs moto more than many an answer."""
        self._locks: dict[str, threading.Lock] = {}
        self._locks_lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if path.startswith(STREAM_PATH):
            query = parse_qs(environ.get("QUERY_STRING", ""))
            with self._lock("dynamodb"):
                body = stream_records(path.removeprefix(STREAM_PATH), int(query["after"][0]))
            start_response(
                "200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
            )
            return [body]
        service = _service(environ)
        if environ["REQUEST_METHOD"] == "PUT" and environ.get("CONTENT_TYPE", "").startswith(_FORM):
            # The body is an object, whatever its type. moto would lose it otherwise.
            environ["CONTENT_TYPE"] = "binary/octet-stream"
        target = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[0]
        application = self._applications.get((service, target)) if target else None
        if application is None:
            application = self._moto.get_application(environ)
            self._applications[service, target] = application
        with self._lock(service):
            large = moto_objects.asked_for(environ) if service == "s3" else None
            if large is not None:
                return moto_objects.give(large, application, environ, start_response)
            result: Iterable[bytes] = application(environ, start_response)
            return result

    def _lock(self, service: str) -> threading.Lock:
        with self._locks_lock:
            return self._locks.setdefault(service, threading.Lock())


def _service(environ: dict[str, Any]) -> str:
    """Return the service in the credential scope; the front signs what it passes on with one."""
    parts = environ.get("HTTP_AUTHORIZATION", "").split(",")[0].split("/")
    return parts[-2] if len(parts) >= 5 else "s3"


def stream_records(table_name: str, after: int) -> bytes:
    """Return ``{"next": …, "records": […]}`` with the stream records from ``after`` on.

    The oldest records are dropped beyond the number that is kept.
    """
    table = dynamodb_backends[ACCOUNT][REGION].tables.get(table_name)
    shard = table.stream_shard if table is not None else None
    if shard is None:
        return b'{"next": 0, "records": []}'
    origin = _ORIGIN.setdefault(table_name, shard.starting_sequence_number)
    if len(shard.items) > 2 * STREAM_RECORDS_KEPT:
        gone = len(shard.items) - STREAM_RECORDS_KEPT
        del shard.items[:gone]
        shard.starting_sequence_number += gone
    dropped = shard.starting_sequence_number - origin
    total = dropped + len(shard.items)
    if after < 0:
        return json.dumps({"next": total, "records": []}).encode()
    first = max(after - dropped, 0)
    records = [item.to_json() for item in shard.items[first : first + STREAM_BATCH]]
    document = {"next": dropped + first + len(records), "records": records}
    return json.dumps(document, default=_plain).encode()


_ORIGIN: dict[str, int] = {}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        # moto's times have no zone, and are in UTC.
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if hasattr(value, "to_json"):
        return value.to_json()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def _remember_what_never_changes() -> None:
    """Cache facts about moto's own code that it determines again at each request."""
    for module in (responses, utils):
        module.method_names_from_class = functools.cache(utils.method_names_from_class)  # type: ignore[attr-defined]


def main() -> None:
    """Serve until killed."""
    configuration = json.load(sys.stdin)
    states_engine.adapt(configuration["endpoint"], configuration["keys"])
    socket_path = Path(sys.argv[1])
    socket_path.unlink(missing_ok=True)
    os.umask(0o077)
    _remember_what_never_changes()
    moto_objects.adapt()
    gc.freeze()  # existing objects stay and need not be scanned
    wsgi_server.serve(socket_path, LockedApplication(), _ready)


if __name__ == "__main__":
    main()
