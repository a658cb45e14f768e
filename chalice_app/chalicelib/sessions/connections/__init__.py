"""Connections: what carries a session at the moment."""
