"""Talk to agents: HTTP by private address, on connections kept alive between invocations."""
