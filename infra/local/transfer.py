"""One execution as a process of its own: ``python -m infra.local.transfer``.

It reads its job as JSON from standard input. It writes a line of JSON with its counts several times
a second, and a last one with ``"phase": "done"`` or ``"error"``.
"""

import json
import sys
import threading
from pathlib import Path
from typing import Any

from tasks.mirror.s3 import Bucket, ReadFailed
from tasks.mirror.work import Mirror, MirrorJob, MirrorOutcome

TELL_EVERY = 0.1


def report(outcome: MirrorOutcome, error: str = "") -> None:
    """Report the progress."""
    line: dict[str, Any] = {
        **outcome.counts(),
        "phase": outcome.phase,
        **({"error": error} if error else {}),
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Copy; return 0 if the copy finished, even if files failed."""
    given = json.load(sys.stdin)
    outcome = MirrorOutcome()
    over = threading.Event()

    def tell() -> None:
        while not over.wait(TELL_EVERY):
            report(outcome)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    error = ""
    try:
        job = MirrorJob(
            prefix=given["prefix"],
            folder=Path(given["folder"]),
            incoming=Path(given["incoming"]),
            include=tuple(given["include"]),
            exclude=tuple(given["exclude"]),
            delete=given["delete"],
            verify=given["verify"],
        )
        Mirror(job, Bucket.from_environment(given["bucket"]), outcome).run()
    except (ReadFailed, OSError) as failure:
        error = str(failure)
    over.set()
    teller.join()
    for path, why in outcome.failures:
        sys.stderr.write(f"[ERROR] {given['bucket']}/{given['prefix']}{path}: {why}\n")
    report(outcome, error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
