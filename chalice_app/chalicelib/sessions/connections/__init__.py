"""A connection: what carries a session now."""
