"""The ``sheen`` command: publish, look, set, and run Sheen on this machine."""
