"""Sheen's domain: the rules that decide something, free of web frameworks and of where they run."""
