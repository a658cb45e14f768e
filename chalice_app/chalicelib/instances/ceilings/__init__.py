"""Ceilings of a whole deployment: of what there may be so many and no more, and what holds a place below the ceiling now."""
