"""A visit: one HTTP request of a visitor, on its way from the location to a seat, to the agent, and back as an answer
or as one of our pages."""
