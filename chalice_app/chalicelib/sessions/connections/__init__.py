"""Connections: each carries a session at the moment."""
