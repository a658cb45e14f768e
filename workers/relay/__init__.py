"""The relay's protocol: what a browser and R say to each other through the agent, without any I/O.

Four layers, each a module, from the wire upwards (FACTS S6):

* :mod:`.sockjs`     frames: ``o``, ``h``, ``a[…]``, ``c[…]`` from the server, JSON arrays of
  strings from the client
* :mod:`.robust`     messages numbered per direction, acknowledged, resent after a lost connection
* :mod:`.chunks`     a message that does not fit a frame travels in parts
* :mod:`.multiplex`  channels: one per Shiny socket in the page

:mod:`.hello` has the additional messages of Sheen's own client. :mod:`.session` combines the layers
into one visitor's session, with :mod:`.channels` for incoming and :mod:`.outbox` for outgoing
messages. :mod:`.errors` says how a session may end, :mod:`.settings` holds the limits, and
:mod:`.page` puts the client into a page. Time is always an argument, in seconds.
"""
