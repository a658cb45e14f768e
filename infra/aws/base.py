"""Update the base image of ``workers/Dockerfile``: ``python -m infra.aws.base``, ``make base``.

The images are named by the tree that they are made of. A deployment therefore rebuilds them only
when that tree, such as the Dockerfile, has changed. Without this update, a deployed image keeps the
libraries of the day of its first build.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from infra.aws.errors import DeployError
from infra.aws.image import DOCKERFILE
from infra.declared import TREE

_FROM = re.compile(
    r"(?m)^FROM (?P<image>debian:[a-z]+-slim)@(?P<digest>sha256:[0-9a-f]{64}) AS agent$"
)
_REFRESHED = re.compile(r'(?m)^ARG REFRESHED="\d{4}-\d{2}-\d{2}"$')
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

Ask = Callable[[Sequence[str]], str]
"""Runs a command and returns its output."""


def ask(command: Sequence[str]) -> str:
    """Run a command; raise :class:`DeployError` if it fails or is not installed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise DeployError(
            f"{command[0]} is not installed: docker with its buildx plugin knows the newest image"
        ) from None
    if done.returncode != 0:
        raise DeployError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout.strip()


def raised(dockerfile: str, digest: str, today: date) -> str:
    """Return the Dockerfile with another base image, and today as the date of Debian's packages.

    This function is pure.
    """
    if not _FROM.search(dockerfile) or not _REFRESHED.search(dockerfile):
        raise DeployError(
            f"{DOCKERFILE}: FROM debian:…-slim@sha256:… AS agent, or ARG REFRESHED, is not there"
        )
    changed = _FROM.sub(lambda found: f"FROM {found['image']}@{digest} AS agent", dockerfile)
    return _REFRESHED.sub(f'ARG REFRESHED="{today.isoformat()}"', changed)


def raise_base(tree: Path, today: date, run: Ask = ask) -> str:
    """Write the digest of the registry's newest image into the Dockerfile; return the digest."""
    path = tree / DOCKERFILE
    text = path.read_text()
    found = _FROM.search(text)
    if found is None:
        raise DeployError(f"{DOCKERFILE}: FROM debian:…-slim@sha256:… AS agent is not there")
    digest = run(
        [
            "docker",
            "buildx",
            "imagetools",
            "inspect",
            found["image"],
            "--format",
            "{{.Manifest.Digest}}",
        ]
    )
    if not _DIGEST.fullmatch(digest):
        raise DeployError(f"docker says that the digest of {found['image']} is {digest!r}")
    path.write_text(raised(text, digest, today))
    return digest


def main() -> int:
    """Update the Dockerfile of this tree."""
    try:
        digest = raise_base(TREE, datetime.now(UTC).date())
    except DeployError as error:
        print(f"base: {error}", file=sys.stderr)  # noqa: T201
        return 1
    print(f"{DOCKERFILE}: {digest}; commit it, and deploy")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
