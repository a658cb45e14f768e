"""A whole agent, for the tests that need one."""

from tests.workers.agent.running import launch

__all__ = ["launch"]
