"""The sentences that describe why R did not start, or how it ended; no I/O."""

import signal
from pathlib import Path

from chalicelib.errors import Broken, Busy, Gone
from chalicelib.failures import Failure

SHOWN = 8 * 1024
"""Characters of R's newest output that a failure shows."""


class WorkerFailed(Broken):
    """R cannot serve the app.

    ``error`` names the failure for the state machine. The message is a sentence, and ``said`` is
    R's own output, cleaned.
    """

    error = Failure.APP_EXITED

    def __init__(self, sentence: str, said: str = "") -> None:
        super().__init__(sentence)
        self.said = said


class AppStartFailed(WorkerFailed):
    """R ended before it served the app."""

    error = Failure.APP_START_FAILED


class AppInitTimeout(WorkerFailed):
    """R did not serve the app within ``app_init_timeout``."""

    error = Failure.APP_INIT_TIMEOUT


class WorkerExited(Busy, WorkerFailed):
    """R ended while it served the app, or does not answer."""


class WorkerGone(Gone, WorkerExited):
    """The R process that a session or a request is bound to has ended."""

    def __init__(self) -> None:
        super().__init__("This session's R process has ended. Load the page again.")


class NoSeat(Busy, WorkerFailed):
    """Every worker is full, and no more may be started."""

    def __init__(self, seats: int) -> None:
        super().__init__(f"All {seats} places of this instance are taken.")


class PageUnfit(WorkerFailed):
    """R's answer cannot become a page of a session."""


def ending(returncode: int, out_of_memory: bool | None = None) -> str:
    """Return how a process ended, given what asyncio calls its return code.

    ``out_of_memory`` says whether the kernel counted a kill for lack of memory
    (:mod:`agent.processes.oom`); None means that it does not say.

    >>> ending(-9)
    'was killed (SIGKILL), as happens when the instance runs out of memory'
    """
    if returncode >= 0:
        return f"ended with exit status {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    match -returncode:
        case signal.SIGKILL if out_of_memory:
            return (
                f"was killed ({name}) because the instance ran out of memory; a larger size "
                "has more: sheen configure /PATH size=xlarge"
            )
        case signal.SIGKILL if out_of_memory is None:
            return f"was killed ({name}), as happens when the instance runs out of memory"
        case signal.SIGSEGV | signal.SIGBUS | signal.SIGILL | signal.SIGABRT | signal.SIGFPE:
            return f"crashed ({name}), as happens when a package's compiled code fails"
        case signal.SIGXFSZ:
            return (
                f"was stopped ({name}) because a file that it wrote has become larger than an "
                "app's file may be (8 GB)"
            )
    return f"was stopped by {name}"


def stopped(returncode: int, killed_after: float | None = None) -> str:
    """Return how a process ended that was asked to stop.

    ``killed_after`` is the number of seconds after which it was killed, or None if it was not.

    >>> stopped(0)
    'was asked to stop, and has ended'
    """
    if killed_after is not None:
        return f"was asked to stop, did not within {killed_after:g} seconds, and was killed"
    asked_by = (0, -signal.SIGINT, -signal.SIGTERM)
    return (
        "was asked to stop, and has "
        f"ended{'' if returncode in asked_by else f'; it {ending(returncode)}'}"
    )


def calls_run_app(said: str) -> AppStartFailed:
    """Return the failure of an app whose own code starts a second app, which nobody can reach."""
    return AppStartFailed(
        "The app calls runApp(), which a hosted app must not: let app.R end with "
        "shinyApp(ui, server).",
        said,
    )


def start_failed(
    returncode: int,
    said: str,
    out_of_memory: bool | None = None,
    language: str = "R",
    quits: str = "quit() or stopApp()",
) -> AppStartFailed:
    """Return the failure of an app whose process ended with ``returncode`` during its start.

    ``language`` and ``quits`` are those of :class:`agent.processes.command.Runtime`.
    """
    if returncode == 0:
        return AppStartFailed(f"The app ended while it was starting: its code calls {quits}.", said)
    return AppStartFailed(
        f"The app stopped while it was starting: {language} {ending(returncode, out_of_memory)}.",
        said,
    )


def init_timeout(seconds: float, said: str) -> AppInitTimeout:
    """Return the failure of an app that was not ready after ``seconds``."""
    return AppInitTimeout(
        (
            f"The app was not ready after {seconds:g} seconds (app_init_timeout). Make its "
            "start quicker, or raise app_init_timeout."
        ),
        said,
    )


def exited(
    returncode: int, said: str = "", out_of_memory: bool | None = None, language: str = "R"
) -> WorkerExited:
    """Return the failure of an app whose process ended with ``returncode`` after its start."""
    return WorkerExited(
        f"The app stopped unexpectedly: {language} {ending(returncode, out_of_memory)}. "
        "The next visit starts it again.",
        said,
    )


def shown(said: str, directory: Path) -> str:
    """Return the end of R's output as people may see it.

    Paths within the app are shown without the app's place on this machine.
    """
    text = said.replace(f"{directory}/", "").replace(str(directory), ".")
    if len(text) > SHOWN:
        text = "…\n" + text[-SHOWN:].partition("\n")[2]
    return text


def cause(failure: WorkerFailed, directory: Path) -> str:
    """Return the text for the state machine: the sentence, and R's output.

    A caller that shows it to visitors must respect ``sanitize_errors``.
    """
    return f"{failure}\n\n{shown(failure.said, directory)}" if failure.said else str(failure)
