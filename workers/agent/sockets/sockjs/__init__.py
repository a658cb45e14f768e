"""SockJS over the agent's port: :mod:`relay.transports` on aiohttp.

* :mod:`.application` the interface of what a SockJS service carries
* :mod:`.relay`       the sessions of this instance, with that interface
* :mod:`.clients`     the clients that poll
* :mod:`.polling`     a receiving request, streamed or whole
* :mod:`.websocket`   WebSockets, framed and raw
* :mod:`.service`     the URLs
"""

from agent.sockets.sockjs.relay import RelayApplication
from agent.sockets.sockjs.service import SockJs

__all__ = ["RelayApplication", "SockJs"]
