"""Run the benchmark named on the command line with its options, else all: ``python -m benchmarks
[NAME [OPTION …]]``.
"""

import asyncio
import signal
import sys
from collections.abc import Sequence

import uvloop

from benchmarks import cold, relay, scheduler, start, sync

ALL = {
    "relay": relay.run,
    "scheduler": scheduler.run,
    "start": start.run,
    "sync": sync.run,
    "cold": cold.run,
}


def main() -> int:
    name, options = (sys.argv[1], sys.argv[2:]) if sys.argv[1:] else (None, [])
    if name is not None and name not in ALL:
        print(f"no benchmark {name!r}; there are: {', '.join(ALL)}", file=sys.stderr)
        return 2
    return uvloop.run(run([name] if name else list(ALL), options))


async def run(names: Sequence[str], options: Sequence[str]) -> int:
    """Run these, and on Ctrl-C or SIGTERM stop what they have started."""
    mine = asyncio.current_task()
    assert mine is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, mine.cancel)
    try:
        for name in names:
            print(f"# {name}", flush=True)
            await ALL[name](options)
    except asyncio.CancelledError:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
