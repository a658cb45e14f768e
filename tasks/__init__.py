"""One-shot Fargate jobs."""
