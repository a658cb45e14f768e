"""Reads ``shiny-server.conf``: text → tokens → tree → checked directives → site. Pure.

:func:`chalicelib.configuration.shiny_server_conf.reading.read` does all steps.
"""
