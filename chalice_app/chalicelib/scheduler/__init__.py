"""Give out seats: on the ready instance with the fewest sessions, or by claiming a new instance."""
