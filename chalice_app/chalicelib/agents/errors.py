"""Errors between a Lambda and an agent."""

from chalicelib.errors import SheenError


class AgentError(SheenError):
    """The agent gave no answer that can be passed on."""


class AgentGone(AgentError):
    """Nobody is at the agent's address, or another instance is.

    The remembered row of the instance is out of date, and the caller must read it again.
    """


class AgentSilent(AgentError):
    """The agent took the request and did not answer in time, or broke off.

    The request may have been carried out.
    """
