"""The ``sheen`` command: publish, inspect and configure apps, and run Sheen on this machine."""
