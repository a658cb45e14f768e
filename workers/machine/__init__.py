"""What the agent and the one-shot tasks share about the machine that they run on.

:mod:`machine.untrusted` is the only way by which code that runs as root touches what an app, an
upload or a package may have made.
"""
