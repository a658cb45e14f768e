"""The names of workers' log files, by the scheme of Shiny Server's guide.

A name is ``<app's folder>-<user>-<YYYYMMDD>-<HHMMSS>-<socket>.log``. Its parts are the last segment
of the app's name, the user that its R runs as, the worker's start (UTC), and the worker's id,
which also names its socket.
"""

import os
import pwd
from datetime import UTC, datetime

from chalicelib.apps.model import App
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.instances.log_streams import LogStream
from infra.declared import Place
from infra.emulator.logs.service import FileName
from infra.emulator.moto.client import Moto

DEFAULT_MODE = 0o640
"""The default mode, which is Shiny Server's."""


class AppLogs:
    """Names the files of workers' streams; looks the app up in the table of apps."""

    def __init__(self, moto: Moto, place: Place) -> None:
        self._moto = moto
        self._table = place.name(App.short_name)

    async def file_name(self, stream: str, now: float) -> FileName:
        """Return the file name of a stream that begins now."""
        try:
            named = LogStream.parse(stream)
        except ValueError:
            return FileName(f"{stream.replace('/', '-')}.log", DEFAULT_MODE)
        app = await self._app(named.app_id)
        folder = app.name.rpartition("/")[2] if app is not None else named.app_id
        user = str(int(app.unix_id)) if app is not None and os.geteuid() == 0 else _own_user()
        started = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
        return FileName(f"{folder or 'root'}-{user}-{started}-{named.worker_id}.log", _mode(app))

    async def _app(self, app_id: str) -> App | None:
        parameters = {
            "TableName": self._table,
            "FilterExpression": "app_id = :id",
            "ExpressionAttributeValues": {":id": {"S": app_id}},
        }
        items = (await self._moto.call("dynamodb", "Scan", parameters))["Items"]
        return App.from_raw_data(items[0]) if items else None


def _mode(app: App | None) -> int:
    try:
        return int(
            app.resolved().settings.log_file_mode
            if app is not None
            else AppSettings().log_file_mode,
            8,
        )
    except BadAppSetting:
        return DEFAULT_MODE


def _own_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
