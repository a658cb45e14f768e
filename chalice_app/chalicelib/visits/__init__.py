"""A visit: one HTTP request of a visitor, from location to seat, agent and answer.

The answer is the agent's, or one of Sheen's own pages.
"""
