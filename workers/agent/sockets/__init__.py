"""The agent's WebSocket side: sessions, and their channels to R."""
