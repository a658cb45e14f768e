"""How much the long tests do.

`make test` runs them at a tenth, with fixed seeds: what fails there fails again. `make test-all`
sets ``SHEEN_TESTS=all``: full length, and a new seed each time, which the test prints.
"""

import os
import secrets

FULL = os.environ.get("SHEEN_TESTS") == "all"


def amount(full: int, least: int = 1) -> int:
    """Return how many rounds, files or messages to try: ``full``, or a tenth but at least
    ``least``.
    """
    return full if FULL else max(least, full // 10)


def seed(variable: str) -> str:
    """Return the seed: what the environment ``variable`` says, else a new one at full length, else
    ``0``.
    """
    return os.environ.get(variable) or (secrets.token_hex(4) if FULL else "0")
