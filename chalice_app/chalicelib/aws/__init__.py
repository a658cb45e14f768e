"""Call AWS: clients, tables, signing, tasks and task tokens."""
