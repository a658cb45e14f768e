"""Users that apps of this process's tests run as.

What ends a worker ends every process of its user, so no two processes of pytest share one.
"""

import os

UNIX_ID = 10_000_000 + os.getpid()
ANOTHER_UNIX_ID = 20_000_000 + os.getpid()
