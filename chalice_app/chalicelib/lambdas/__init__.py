"""The code by which Chalice calls the domain."""
