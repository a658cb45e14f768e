"""Debian's ``node-shiny-server-client`` as a page of Shiny Server uses it, for tests with it as a
black box (FACTS S11).
"""

from pathlib import Path

from tests.support.debian import unpack

START = "preShinyInit({reconnect:true,disableProtocols:[]});"
"""What the page says after the scripts, before Shiny starts: it makes ``Shiny.createSocket`` (FACTS
S1).
"""

CUT = "__shinyserverdebug__.disconnect()"
"""What a test says in the page to cut the connection; the client resumes. ``interrupt()`` first
loses what is sent until then.
"""


def scripts() -> list[Path]:
    """Return the files that a page loads after jQuery and Shiny's own script, in this order. Raises
    :class:`Unavailable`.
    """
    modules = (
        unpack("shiny-server-client", ["node-shiny-server-client", "node-sockjs-client"])
        / "usr/share/nodejs"
    )
    return [
        modules / "sockjs-client/dist/sockjs.min.js",
        modules / "shiny-server-client/dist/shiny-server-client.min.js",
    ]
