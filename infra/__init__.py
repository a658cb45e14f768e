"""Where Sheen runs: on AWS, or entirely on one machine."""
