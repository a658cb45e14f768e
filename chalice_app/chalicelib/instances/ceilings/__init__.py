"""Ceilings of a whole deployment: how many of a thing there may be, and what holds a place now."""
