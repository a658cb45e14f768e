"""What the agent and the one-shot tasks share about the machine that they run on.

Code that runs as root touches what an app, an upload or a package may have made by
:mod:`machine.untrusted` only.
"""
