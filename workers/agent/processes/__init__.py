"""The worker processes, and the resources that they may use."""
