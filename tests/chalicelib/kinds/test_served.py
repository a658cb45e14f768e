"""What a version is: its row says so, and rows from before kinds had modules are understood."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.kinds import served, shiny_python, shiny_r
from chalicelib.kinds.kind import Kind
from chalicelib.kinds.recognition import shape_of
from chalicelib.kinds.refused import REFUSED
from chalicelib.kinds.served import KindOfVersion
from chalicelib.publishing.errors import BadBundle
from tests.support import toy_kind


def unread() -> bytes | None:
    raise AssertionError("a row with a kind and an entrypoint needs no file")


@pytest.mark.parametrize("kind", served.KINDS, ids=lambda kind: kind.name)
def test_the_row_decides(kind: Kind) -> None:
    assert served.of_row(kind.name, "main:here", unread) == (kind, "main:here")
    assert served.of_row(kind.name, "", unread) == (kind, "")


def manifest(**metadata: str) -> bytes:
    return json.dumps({"metadata": {"appmode": "python-shiny", **metadata}}).encode()


@pytest.mark.parametrize(
    ("name", "said", "found"),
    [
        ("app.R", None, KindOfVersion(shiny_r.KIND, "")),
        ("server.R", None, KindOfVersion(shiny_r.KIND, "")),
        ("app.py", None, KindOfVersion(shiny_python.KIND, "app:app")),
        ("app.py", manifest(entrypoint="main:here"), KindOfVersion(shiny_python.KIND, "main:here")),
        ("app.py", manifest(), KindOfVersion(shiny_python.KIND, "app:app")),
        ("app.py", b"{}", KindOfVersion(shiny_python.KIND, "app:app")),
        ("", None, None),
        ("of a later release", None, None),
    ],
)
def test_a_row_of_before_is_understood(
    name: str, said: bytes | None, found: KindOfVersion | None
) -> None:
    assert served.of_row(name, None, lambda: said) == found


def test_names_and_appmodes_stand_for_one_kind() -> None:
    names = [kind.name for kind in served.KINDS]
    appmodes = [kind.appmode for kind in served.KINDS]
    appmodes += [appmode for each in REFUSED for appmode in each.appmodes]
    assert len(set(names)) == len(names)
    assert len(set(appmodes)) == len(appmodes)


def test_a_new_kind_is_recognised_without_a_change_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {"x/toy.txt": b"a word", "x/other": b""}
    with pytest.raises(BadBundle, match="no app is in it"):
        shape_of(files, "b.zip", files.__getitem__)
    toy_kind.use(monkeypatch)
    assert shape_of(files, "b.zip", files.__getitem__) == (toy_kind.KIND, "a word", "x")
    with pytest.raises(BadBundle, match=r"toy\.txt is empty"):
        shape_of(["toy.txt"], "b.zip", lambda path: b"")
    with pytest.raises(BadBundle, match="must be one line"):
        shape_of(["toy.txt"], "b.zip", lambda path: b"a\nsecret=mine")
    assert served.of_row("toy", "a word", unread) == (toy_kind.KIND, "a word")


NAMES = ("app.R", "server.R", "ui.R", "www/index.html", "app.py", "index.html", "a.Rmd", "x/app.R")
CONTENTS = (b"", b"import shiny", manifest(entrypoint="app"), manifest(appmode="shiny"), b"{}")


@given(
    st.sets(st.sampled_from(NAMES)),
    st.none() | st.sampled_from(CONTENTS),
    st.sampled_from(CONTENTS),
)
def test_what_the_build_recognises_its_row_gives_back(
    names: set[str], said: bytes | None, source: bytes
) -> None:
    files = dict.fromkeys(names, source) | ({} if said is None else {"manifest.json": said})
    try:
        shape = shape_of(files, "b.zip", files.__getitem__)
    except BadBundle:
        return
    assert served.of_row(shape.kind.name, shape.entrypoint, unread) == shape[:2]
