"""A session: one visitor's Shiny session. Its seat on an instance is a lease, so that it is given back also when nobody says goodbye."""
