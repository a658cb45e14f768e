"""What can go wrong between a Lambda and an agent."""

from chalicelib.errors import SheenError


class AgentError(SheenError):
    """The agent gave no answer that can be passed on."""


class AgentGone(AgentError):
    """Nobody is at the agent's address, or another instance is: what was remembered of it is old, and its row is to be read again."""


class AgentSilent(AgentError):
    """The agent took the request and did not answer in time, or broke off. It may have been carried out."""
