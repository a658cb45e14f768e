"""What the operator and the author want."""
