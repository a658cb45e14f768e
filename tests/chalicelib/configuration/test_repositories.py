"""Which repositories and indexes builds ask."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.configuration.repositories import (
    BadIndex,
    BadRepositories,
    Indexes,
    Repositories,
)

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
    assert list(setting.asked_for(named)) == asked


@given(st.text(max_size=60))
def test_whatever_a_lock_file_names_nothing_but_the_allowed_is_asked(named: str) -> None:
    setting = Repositories.parse(f"{OURS} https://p.example/cran/*")
    for url in setting.asked_for(named):
        assert (
            url == OURS
            or url == "https://p.example/cran"
            or url.startswith("https://p.example/cran/")
        )


@pytest.mark.parametrize(
    "url",
    [
        "http://pypi.example/simple",
        "pypi",
        "https://me:secret@pypi.example/simple",
        "--proxy",
        "file:///x",
    ],
)
def test_an_index_is_reached_by_https_and_without_a_password(url: str) -> None:
    with pytest.raises(BadIndex, match="SHEEN_PYTHON_REPOSITORIES"):
        Indexes.parse(f"default {url}")


def test_indexes_are_told_to_pip() -> None:
    assert Indexes.parse("https://a.example/simple, https://b.example/simple").options == [
        "--index-url", "https://a.example/simple", "--extra-index-url", "https://b.example/simple",
    ]  # fmt: skip


def test_pip_keeps_its_own_index_where_the_deployment_names_the_default() -> None:
    assert Indexes.parse("default").options == []
    assert Indexes.parse("https://a.example/simple default").options == [
        "--extra-index-url", "https://a.example/simple",
    ]  # fmt: skip
