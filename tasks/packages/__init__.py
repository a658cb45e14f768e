"""An app's R packages.

They are listed in its lock file, found in repositories, installed once and shared, and linked into
the version's library.
"""
