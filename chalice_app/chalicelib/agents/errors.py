"""Errors between a Lambda and an agent."""

from chalicelib.errors import Broken, Busy, Late


class AgentError(Broken):
    """The agent gave no answer that can be passed on."""


class AgentGone(Busy, AgentError):
    """Nobody is at the agent's address, or another instance is.

    The remembered row of the instance is out of date, and the caller must read it again.
    """


class AgentSilent(Late, AgentError):
    """The agent took the request and did not answer in time, or broke off.

    The request may have been carried out.
    """
