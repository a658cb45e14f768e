"""How busy the machine is on which everything runs, as Linux says."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from chalicelib.visits.health import Load

_SHORTEST = 1.0
"""Seconds over which the use of the processors is averaged at least."""


class _Processors(NamedTuple):
    at: float
    busy: float
    whole: float


class MachineLoad:
    """Reads the load; the use of the processors is that since an earlier reading."""

    def __init__(self, clock: Callable[[], float], proc: Path = Path("/proc")) -> None:
        self._clock = clock
        self._proc = proc
        self._last: _Processors | None = None
        self._cpu_percent = 0.0

    def read(self) -> Load:
        """Return the load; three small reads, and no waiting."""
        memory = _memory((self._proc / "meminfo").read_text())
        average = float((self._proc / "loadavg").read_text().split()[0])
        return Load(
            self._cpu(),
            _used(memory, "MemTotal", "MemAvailable"),
            _used(memory, "SwapTotal", "SwapFree"),
            average,
        )

    def _cpu(self) -> float:
        now = _processors((self._proc / "stat").read_text(), self._clock())
        last = self._last or _Processors(0, 0, 0)
        if now.at - last.at >= _SHORTEST:
            passed = now.whole - last.whole
            self._cpu_percent = 100 * (now.busy - last.busy) / passed if passed > 0 else 0.0
            self._last = now
        return self._cpu_percent


def _processors(stat: str, at: float) -> _Processors:
    user, nice, system, idle, waiting, *more = map(float, stat.splitlines()[0].split()[1:9])
    whole = user + nice + system + idle + waiting + sum(more)
    return _Processors(at, whole - idle - waiting, whole)


def _memory(meminfo: str) -> dict[str, float]:
    pairs = (line.split(":", 1) for line in meminfo.splitlines() if ":" in line)
    return {name: float(value.split()[0]) for name, value in pairs}


def _used(memory: dict[str, float], whole: str, free: str) -> float:
    total = memory.get(whole, 0.0)
    return 100 * (total - memory.get(free, 0.0)) / total if total else 0.0
