"""The one endpoint of all services: who calls, what they call, and what they send."""
