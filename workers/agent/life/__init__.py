"""How an instance's task lives and ends."""
