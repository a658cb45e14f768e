"""A bundle: one upload, and its outcome."""
