"""An app's R packages: what its lock file wants, found in repositories, installed once and shared, linked into the version's library."""
