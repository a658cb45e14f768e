"""Sheen's domain: the rules that decide, independent of web frameworks and of where they run."""
