"""The clocks of Sheen.

Code that decides takes ``now`` as an argument. Code at the edge reads it here, and tests replace
it.
"""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""A function that returns seconds since the epoch."""

Steady = Callable[[], float]
"""A function that returns seconds on a clock that is never set; only differences mean something."""

wall_clock: Clock = time.time
