"""EventBridge: the bus, its patterns, and schedules."""
