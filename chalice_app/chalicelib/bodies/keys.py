"""Where large bodies are in the bucket. Pure."""

import re

from chalicelib.instances.model import InstanceRef

PREFIX = "bodies/"
"""All that is below it is deleted a day later, by the bucket's lifecycle rule, if not before."""

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 80


def answer_key(ref: InstanceRef, token: str, path: str) -> str:
    """Return the key of an answer. ``token`` is 128 random bits at least; the request's ``path`` gives the name that a browser shows.

    >>> answer_key(InstanceRef("a1.v1", 0, "c0ffee"), "t0k3n", "/data/Gr%C3%B6%C3%9Fen.csv")
    'bodies/a1.v1/0/c0ffee/answers/t0k3n/Gr_C3_B6_C3_9Fen.csv'
    """
    name = _UNFIT.sub("_", path.rpartition("/")[2])[-_LONGEST_NAME:].lstrip(".")
    return f"{PREFIX}{ref}/answers/{token}/{name or 'answer'}"


def upload_key(ref: InstanceRef, session_id: str, token: str) -> str:
    """Return the key of a file on its way to R, which belongs to one session of one instance."""
    return f"{PREFIX}{ref}/uploads/{_UNFIT.sub('_', session_id)}/{token}"
