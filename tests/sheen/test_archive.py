"""Deleting an app asks, and says what to do where there is nobody to ask."""

from collections.abc import Callable
from unittest.mock import Mock

import pytest

from chalicelib.apps import life, store
from sheen import archive


def nobody(_question: str) -> str:
    raise EOFError


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            nobody,
            (
                "/hello was not deleted: there is nobody to ask; `sheen delete /hello --yes` "
                "does not ask"
            ),
        ),
        (lambda _: "y", "was not its location"),
    ],
)
def test_without_an_answer_nothing_is_deleted(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[str], str], said: str
) -> None:
    deleted = Mock()
    monkeypatch.setattr(store, "at", Mock())
    monkeypatch.setattr(life, "archived", lambda name: None)
    monkeypatch.setattr(archive, "call", deleted)
    with pytest.raises(archive.NotDeleted, match=said):
        archive.delete(Mock(), "/hello", ask)
    deleted.assert_not_called()
