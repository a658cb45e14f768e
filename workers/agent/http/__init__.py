"""The agent's HTTP side: pages, files, bodies."""
