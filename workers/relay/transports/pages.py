"""The greeting, the capabilities and the iframe page."""

from __future__ import annotations

import hashlib
import json

GREETING = "Welcome to SockJS!\n"
GREETING_TYPE = "text/plain; charset=UTF-8"
INFO_TYPE = "application/json; charset=UTF-8"
IFRAME_TYPE = "text/html; charset=UTF-8"

_IFRAME = """<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script src="{client_url}"></script>
  <script>
    document.domain = document.domain;
    SockJS.bootstrap_iframe();
  </script>
</head>
<body>
  <h2>Don't panic!</h2>
  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>
"""


def info(*, websocket: bool, cookie_needed: bool, entropy: int) -> str:
    """Return the capabilities; ``entropy`` is an unpredictable number below 2**32."""
    return json.dumps(
        {
            "websocket": websocket,
            "origins": ["*:*"],
            "cookie_needed": cookie_needed,
            "entropy": entropy,
        },
        separators=(",", ":"),
    )


def iframe(client_url: str) -> tuple[str, str]:
    """Return the page that other sites put into an iframe, and its ETag."""
    source = client_url.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    page = _IFRAME.format(client_url=source)
    return page, f'"{hashlib.sha256(page.encode()).hexdigest()[:32]}"'


def matches(etag: str, if_none_match: str) -> bool:
    """Return whether the browser's copy is still valid."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or "*" in tags
