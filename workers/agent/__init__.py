"""The agent: HTTP from the Lambdas, WebSocket to R, posts back to API Gateway.

* :mod:`.launch`, :mod:`.process`   what the task is told, and how this process shields itself
* :mod:`.life`, :mod:`.reports`, :mod:`.seats`, :mod:`.activity`   the instance's life, and what its state machine and its row are told
* :mod:`.starter`, :mod:`.preloaded`, :mod:`.fresh`, :mod:`.r_process`,
  :mod:`.app_environment`, :mod:`.app_folders`, :mod:`.private`   how R is started, and what it finds
* :mod:`.worker`, :mod:`.workers`, :mod:`.worker_row`, :mod:`.command`, :mod:`.output`, :mod:`.failure`,
  :mod:`.orphans`, :mod:`.quota`, :mod:`.r_socket`   R processes
* :mod:`.server`, :mod:`.proxy`, :mod:`.headers`, :mod:`.answers`   HTTP
* :mod:`.sessions`, :mod:`.gateway`, :mod:`.sockjs`   the relay
"""
