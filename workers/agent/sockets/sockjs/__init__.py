"""SockJS over the agent's port: :mod:`relay.transports` on aiohttp.

* :mod:`.application` what a SockJS service carries: an interface
* :mod:`.relay`       the sessions of this instance, as that
* :mod:`.carriers`    lets the sessions speak through SockJS's requests as they do through ``@connections``
* :mod:`.clients`     the clients that poll
* :mod:`.polling`     a receiving request, streamed or whole
* :mod:`.websocket`   WebSockets, framed and raw
* :mod:`.service`     the URLs
"""

from agent.sockets.sockjs.carriers import Carriers
from agent.sockets.sockjs.relay import RelayApplication
from agent.sockets.sockjs.service import SockJs

__all__ = ["Carriers", "RelayApplication", "SockJs"]
