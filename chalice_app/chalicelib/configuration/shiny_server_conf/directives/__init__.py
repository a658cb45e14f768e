"""The directives of ``shiny-server.conf``, one row each; :mod:`.table` has them all."""
