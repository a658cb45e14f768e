"""The keys of large bodies in the bucket. Pure."""

import re

from chalicelib.instances.model import InstanceRef

PREFIX = "bodies/"
"""The prefix of all keys.

The bucket's lifecycle rule deletes any object below it that still exists after a day.
"""

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 80


def answer_key(ref: InstanceRef, token: str, path: str) -> str:
    """Return the key of an answer.

    ``token`` has at least 128 random bits. The name that a browser shows comes from the request's
    ``path``.

    >>> answer_key(InstanceRef("a1.v1", 0, "c0ffee"), "t0k3n", "/data/Gr%C3%B6%C3%9Fen.csv")
    'bodies/a1.v1/0/c0ffee/answers/t0k3n/Gr_C3_B6_C3_9Fen.csv'
    """
    name = _UNFIT.sub("_", path.rpartition("/")[2])[-_LONGEST_NAME:].lstrip(".")
    return f"{PREFIX}{ref}/answers/{token}/{name or 'answer'}"


def upload_key(ref: InstanceRef, session_id: str, token: str) -> str:
    """Return the key of a file on its way to R. It belongs to one session of one instance."""
    return f"{PREFIX}{ref}/uploads/{_UNFIT.sub('_', session_id)}/{token}"
