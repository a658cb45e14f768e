"""What a Lambda and an agent say to each other: the routes of the agent, and their headers.

Neither a visitor nor an app can send one of these headers (:mod:`chalicelib.headers`).
"""

APP = "/app"
"""Begins the path of a visitor's request; the app's own path follows."""
CONNECTIONS = "/connections/"
"""Followed by a connection's id: POST brings a frame, DELETE says that the connection has ended."""
WATCH = "/watch"
"""Brings the task token that the agent answers when its instance is idle."""
BIND = "/bind"
"""Tells a spare which app it serves from now on."""
RESTART = "/restart"
"""New sessions get new workers."""
SUPERSEDE = "/supersede"
"""As :data:`RETIRE`, and the open sessions end: too many old versions are still running."""
RETIRE = "/retire"
"""The instance takes no new session, and ends after the last one."""

AGENT_KEY = "sheen-agent-key"
"""Proves that the caller is a function of the deployment."""
INSTANCE = "sheen-instance"
"""The id of the instance that the caller means; another one refuses the request."""
SESSION = "sheen-session"
"""The session that a page or a frame belongs to."""
BASE = "sheen-base"
"""The app's public path without a slash at its end."""
LARGEST = "sheen-largest"
"""Most bytes that the caller can take as an answer; any number without it."""
ADDRESS = "sheen-address"
"""The visitor's address, as the gateway saw it."""
NETWORK = "sheen-network"
"""A name for the visitor's network (:func:`chalicelib.visits.address.tag`)."""
ABOVE = "sheen-above"
"""The number of the change that brought the layers in the instance's row.

If it is greater than that of the layers that the agent knows, the agent reads the row again.
"""
PAGE = "sheen-page"
"""The token of a page that the agent keeps for the visitor."""
HEAD = "sheen-head"
"""The visitor asked by HEAD, and the Lambda asks by GET.

API Gateway counts a body's bytes itself, and sends none of them.
"""
BUFFERED = "sheen-buffered"
"""Whatever is streamed ends early: a Lambda passes on whole answers only (FACTS H2)."""
REFUSED = "sheen-refused"
"""Distinguishes the agent's own refusal from an app's answer with the same status."""
