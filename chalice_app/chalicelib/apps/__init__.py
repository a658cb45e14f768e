"""An app: what an author publishes at a location.

Its row holds the active version and the settings.
"""
