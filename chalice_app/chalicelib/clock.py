"""The one clock. Deciding code takes ``now`` as an argument; edges read it here, and tests put another in its place."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns seconds since the epoch."""

wall_clock: Clock = time.time
