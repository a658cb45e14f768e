"""A browser for these tests."""

from tests.support.chromium_fixtures import chromium, page

__all__ = ["chromium", "page"]
