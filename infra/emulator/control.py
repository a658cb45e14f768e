"""The control socket of tests: ``run/control.sock`` in the data folder, HTTP with JSON.

* ``GET /counters`` returns all counts.
* ``GET /rights`` returns the refused calls, and which statements of each role were used or never
  used.
* ``POST /faults`` takes settings of :class:`infra.emulator.faults.FaultRates`; ``{}`` turns all
  off.
* ``POST /clock`` takes ``{"speed": x}``.
* ``POST /vanish`` takes ``{"task": ARN}``: the task's machine vanishes and answers no packets.
"""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from infra.emulator.clock import Clock
from infra.emulator.counters import Counters
from infra.emulator.faults import Faults


class Control:
    """The server of the control socket."""

    def __init__(
        self,
        path: Path,
        counters: Counters,
        faults: Faults,
        clock: Clock,
        rights: Callable[[], Any],
        vanish: Callable[[str], Awaitable[dict[str, object]]],
    ) -> None:
        self._path = path
        self._vanish = vanish
        self._rights = rights
        self._counters = counters
        self._faults = faults
        self._clock = clock
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen."""
        application = web.Application()
        application.router.add_get("/counters", self._read_counters)
        application.router.add_get("/rights", self._read_rights)
        application.router.add_post("/faults", self._set(self._set_faults))
        application.router.add_post("/clock", self._set(self._set_clock))
        application.router.add_post("/vanish", self._set(self._let_vanish))
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        self._path.unlink(missing_ok=True)
        await web.UnixSite(self._runner, str(self._path)).start()

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _read_counters(self, _request: web.Request) -> web.Response:
        return web.json_response(self._counters.as_document())

    async def _read_rights(self, _request: web.Request) -> web.Response:
        return web.json_response(self._rights())

    async def _let_vanish(self, settings: dict[str, Any]) -> dict[str, object]:
        return await self._vanish(str(settings.get("task", "")))

    async def _set_clock(self, settings: dict[str, Any]) -> dict[str, object]:
        self._clock.set_speed(settings.get("speed", 1))
        return {"speed": self._clock.speed}

    async def _set_faults(self, settings: dict[str, Any]) -> dict[str, object]:
        return self._faults.configure(settings)

    def _set(self, apply: Callable[[dict[str, Any]], Awaitable[dict[str, object]]]) -> Any:
        async def handle(request: web.Request) -> web.Response:
            try:
                return web.json_response(await apply(json.loads(await request.read() or b"{}")))
            except ValueError as error:
                return web.json_response({"error": str(error)}, status=400)

        return handle
