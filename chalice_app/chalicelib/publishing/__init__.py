"""A bundle: one upload, and what became of it."""
