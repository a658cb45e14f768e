"""Settings: what the operator and the author want."""
