"""Sessions: each is one visitor's Shiny session.

A session's seat on an instance is a lease, so that it is given back even if the visitor never says
goodbye.
"""
