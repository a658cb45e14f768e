"""DataSync on one machine: the operations that Sheen calls, and executions that really copy."""
