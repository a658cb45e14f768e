"""SockJS over HTTP, as the document ``sockjs-protocol`` of May 2026 says, without any I/O.

* :mod:`.options`   what one service offers, and its delays and limits
* :mod:`.urls`      which URL asks for what, by which methods
* :mod:`.receiving` the transports that receive: how a frame is put into a response
* :mod:`.sending`   the transports that send: which messages a request's body has
* :mod:`.headers`   CORS, caching and cookies
* :mod:`.pages`     the greeting, the capabilities and the iframe page
* :mod:`.polls`     one client's polls: greeting, heartbeats, one receiver at a time, the close,
  the timeout

The frames themselves are in :mod:`relay.sockjs`. The ticket cookie, which says which session a new
client may have, is in :mod:`chalicelib.sessions.passes`.
"""
