"""Lambda to agent: HTTP by private address, on connections that are kept alive from one invocation to the next."""
