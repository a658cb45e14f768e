"""How Chalice calls the domain."""
