"""The names of workers' log files, by the scheme of Shiny Server's guide.

A name is ``<app's folder>-<user>-<YYYYMMDD>-<HHMMSS>-<socket>.log``. Its parts are the last segment
of the app's name, the user that its R runs as, the worker's start (UTC), and the worker's id,
which also names its socket. With ``log_dir``, the agent has named the file, and a copy of it is in
that folder.
"""

import os
import pwd
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from chalicelib.apps.model import App
from chalicelib.configuration.above import Above
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.layers import Layer
from chalicelib.instances.log_streams import LogStream
from chalicelib.instances.model import Instance
from infra.declared import Place
from infra.emulator.logs.copies import Copy
from infra.emulator.logs.service import FileName
from infra.emulator.moto.client import Moto

DEFAULT_MODE = 0o640
"""The default mode, which is Shiny Server's."""


class AppLogs:
    """Names the files of workers' streams; looks the app and the instance up in their tables."""

    def __init__(self, moto: Moto, place: Place) -> None:
        self._moto = moto
        self._place = place

    async def file_name(self, stream: str, now: float) -> FileName:
        """Return the file name of a stream that begins now."""
        try:
            named = LogStream.parse(stream)
        except ValueError:
            return FileName(f"{stream.replace('/', '-')}.log", DEFAULT_MODE)
        app = await self._app(named.app_id)
        settings = _settings(app, await self._above(named)) if app is not None else AppSettings()
        mode = int(settings.log_file_mode, 8)
        if named.file:
            copy = Copy(Path(settings.log_dir), named.file, mode, _owner(app, settings))
            return FileName(named.file, mode, copy if settings.log_dir.startswith("/") else None)
        folder = app.name.rpartition("/")[2] if app is not None else named.app_id
        user = _user_of(app) if app is not None and os.geteuid() == 0 else _own_user()
        started = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
        return FileName(f"{folder or 'root'}-{user}-{started}-{named.worker_id}.log", mode)

    async def _app(self, app_id: str) -> App | None:
        parameters = {
            "TableName": self._place.name(App.short_name),
            "FilterExpression": "app_id = :id",
            "ExpressionAttributeValues": {":id": {"S": app_id}},
        }
        items = (await self._moto.call("dynamodb", "Scan", parameters))["Items"]
        return App.from_raw_data(items[0]) if items else None

    async def _above(self, named: LogStream) -> Iterable[Layer]:
        """Return the layers of a configuration that the instance has."""
        parameters = {
            "TableName": self._place.name(Instance.short_name),
            "KeyConditionExpression": "version_id = :id",
            "ExpressionAttributeValues": {":id": {"S": f"{named.app_id}.{named.version}"}},
        }
        items = (await self._moto.call("dynamodb", "Query", parameters))["Items"]
        for row in map(Instance.from_raw_data, items):
            if row.instance_id == named.instance_id:
                return Above.of_text(row.above or "").layers
        return ()


def _settings(app: App, above: Iterable[Layer]) -> AppSettings:
    try:
        return app.resolved(above).settings
    except BadAppSetting:
        return AppSettings()


def _owner(app: App | None, settings: AppSettings) -> tuple[int, int] | None:
    """Return whom a file in ``log_dir`` belongs to; None: this process's own user."""
    if app is None or not settings.log_as_user or os.geteuid() != 0:
        return None
    return int(app.unix_id), int(app.unix_id)


def _user_of(app: App) -> str:
    return app.run_as or str(int(app.unix_id))


def _own_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
