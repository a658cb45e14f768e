"""An app: what an author publishes, found at a location. Its row says which version is active and how it is set."""
