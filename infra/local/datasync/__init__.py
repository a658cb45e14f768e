"""DataSync on one machine: the operations that Sheen calls, with executions that really copy."""
