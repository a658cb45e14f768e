"""An instance's secret, and the keys derived from it.

The secret stays in the instance's row. Others get a key for one purpose only, which is of no use
for another.
"""

import hashlib
import hmac
import secrets
from enum import StrEnum


class Purpose(StrEnum):
    """What a key is for."""

    AGENT = "agent"
    """Lambda to agent: header ``sheen-agent-key``."""
    TICKET = "ticket"
    """Signs the tickets of the instance's sessions."""
    SHINY = "shiny"
    """Agent to R: header ``shiny-shared-secret`` (FACTS S2)."""


def new_secret() -> str:
    """Return a fresh secret of 256 bits, as 64 hex digits."""
    return secrets.token_hex(32)


def key_for(secret: str, purpose: Purpose) -> str:
    """Return the key of ``secret`` (64 hex digits) for ``purpose``, as 64 hex digits."""
    return hmac.new(bytes.fromhex(secret), purpose.encode(), hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Return whether two keys are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
