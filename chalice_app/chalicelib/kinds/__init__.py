"""Kinds of apps that Sheen serves, and how to recognise them."""
