"""The agent: HTTP from the Lambdas, WebSocket to R, posts back to API Gateway.

- :mod:`.life`: the instance's life, what the task is told at its start, and what its state machine
  and its row are told
- :mod:`.processes`: how R and Python are started, what they may use, and how they end
- :mod:`.http`: the server, the proxy to R, and large bodies
- :mod:`.sockets`: the relay, over ``@connections`` and SockJS
- :mod:`.record`, :mod:`.activity`, :mod:`.failure`, :mod:`.health`, :mod:`.log`: what all of these
  share
"""
