"""Start instances, watch them, stop idle ones, and clear up after those that end by themselves."""
