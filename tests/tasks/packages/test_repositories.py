"""Which repositories are asked for what."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.packages import image, repositories
from tasks.packages.lock import Wanted
from tasks.packages.repositories import BadRepositories, Repositories, Repository, Unreachable
from tests.support.cran import GREETING_1, cran

OURS = "https://r.example"


@pytest.mark.parametrize(
    ("setting", "urls", "allowed"),
    [
        ("", (), ()),
        (
            "https://a.example/ , http://b.example/cran/src/contrib/",
            ("https://a.example", "http://b.example/cran"),
            (),
        ),
        ("https://a.example https://p.example/*", ("https://a.example",), ("https://p.example/",)),
        ("https://p.example/cran/*", (), ("https://p.example/cran/",)),
    ],
)
def test_the_setting(setting: str, urls: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    assert Repositories.parse(setting) == Repositories(urls, allowed)


def test_the_default_is_what_r_itself_asks_and_is_found_out_only_if_it_is_named() -> None:
    assert Repositories.parse("default https://a.example https://p.example/*").resolved(
        lambda: "https://r.example/"
    ) == Repositories(("https://r.example", "https://a.example"), ("https://p.example/",))
    assert Repositories.parse(OURS).resolved(lambda: pytest.fail("asked")) == Repositories((OURS,))


def test_r_says_which_repository_it_asks_by_itself() -> None:
    assert Repositories.parse(image.mirror()).urls, "it is the URL of a repository"


@pytest.mark.parametrize(
    "entry",
    [
        "cran",
        "file:///etc",
        "ftp://x.example",
        "https://*",
        "https://*/x",
        "https://a.example/*/b",
        "https:///*",
        "https://user:secret@a.example",
    ],
)
def test_what_is_no_repository_is_named(entry: str) -> None:
    with pytest.raises(BadRepositories) as caught:
        Repositories.parse(f"{OURS} {entry}")
    assert f'SHEEN_REPOSITORIES: "{entry}" is not' in str(caught.value)


@pytest.mark.parametrize(
    ("named", "asked"),
    [
        ("", [OURS]),
        ("https://r.example/", [OURS]),
        ("https://p.example/cran/2024-01-02", ["https://p.example/cran/2024-01-02", OURS]),
        ("https://p.example/cran/../evil", [OURS]),
        ("https://p.example/cran/%2e%2e/evil", [OURS]),
        ("https://p.example/crane", [OURS]),
        ("https://p.example.evil/cran/x", [OURS]),
        ("https://user@p.example/cran/x", [OURS]),
        ("http://p.example/cran/x", [OURS]),
        ("http://169.254.170.2/v2", [OURS]),
    ],
)
def test_what_a_lock_file_names_is_asked_first_and_only_if_it_is_allowed(
    named: str, asked: list[str]
) -> None:
    setting = Repositories.parse(f"{OURS} https://p.example/cran/*")
    assert list(setting.for_package(Wanted("x1", "1.0", repository=named))) == asked


@given(st.text(max_size=60))
def test_whatever_a_lock_file_names_nothing_but_the_allowed_is_asked(named: str) -> None:
    setting = Repositories.parse(f"{OURS} https://p.example/cran/*")
    for url in setting.for_package(Wanted("x1", "1.0", repository=named)):
        assert (
            url == OURS
            or url == "https://p.example/cran"
            or url.startswith("https://p.example/cran/")
        )


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_a_download_that_breaks_off_is_tried_again_and_never_taken_for_the_source(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cran(tmp_path / "cran") as served:
        repository, wanted, to = (
            Repository(served.url),
            Wanted("greeting", "1.0"),
            tmp_path / "sources/greeting.tar.gz",
        )
        path = f"/src/contrib/Archive/greeting/{GREETING_1.archive}"
        served.cut[path] = how
        assert repository.fetch(wanted, to)
        assert to.read_bytes() == GREETING_1.pack()
        assert served.requests.count(path) == 2
        to.unlink()
        monkeypatch.setattr(repositories, "_TRIES", 1)
        served.cut[path] = how
        with pytest.raises(Unreachable):
            repository.fetch(wanted, to)
        assert list(to.parent.iterdir()) == []
