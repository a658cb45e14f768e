"""Runs two things that talk to DynamoDB so that their calls come in a given order, and in no
other.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any


class Interleaving:
    """:meth:`before` is to be called before each call to DynamoDB: whoever comes there waits until
    it is their turn.
    """

    def __init__(self) -> None:
        self._by_thread: dict[int, _Run] = {}

    def before(self, _operation: str) -> None:
        run = self._by_thread.get(threading.get_ident())
        if run is not None:
            run.wait()

    def run(self, order: Sequence[int], *things: Callable[[], Any]) -> list[Any]:
        """Let the things go on by one call each, as ``order`` names them, then whoever is left.
        Return what they return.
        """
        runs = [_Run(thing, self._by_thread) for thing in things]
        for turn in order:
            runs[turn % len(runs)].go_on()
        while any(run.alive for run in runs):
            for run in runs:
                run.go_on()
        for run in runs:
            run.thread.join()
            if run.error is not None:
                raise run.error
        return [run.result for run in runs]


class _Run:
    def __init__(self, thing: Callable[[], Any], by_thread: dict[int, "_Run"]) -> None:
        self._thing, self._by_thread = thing, by_thread
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.alive = True
        self.result: Any = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._main, daemon=True)
        self.thread.start()
        self._stopped.acquire()

    def _main(self) -> None:
        self._by_thread[threading.get_ident()] = self
        try:
            self.wait()
            self.result = self._thing()
        except BaseException as error:
            self.error = error
        del self._by_thread[threading.get_ident()]
        self.alive = False
        self._stopped.release()

    def wait(self) -> None:
        self._stopped.release()
        self._go.acquire()

    def go_on(self) -> None:
        """Go on until the next call, or the end."""
        if self.alive:
            self._go.release()
            self._stopped.acquire()
