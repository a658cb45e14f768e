"""Where Sheen runs: on AWS, or all of it on one machine."""
