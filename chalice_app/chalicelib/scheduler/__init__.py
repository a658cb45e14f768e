"""The scheduler gives out seats: on a ready instance with the fewest sessions, or by claiming a new instance."""
