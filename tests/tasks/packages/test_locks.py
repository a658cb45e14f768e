"""The three kinds of lock file, as their tools write them, and what is wrong with broken ones."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.packages import locks, manifest, packrat, renv
from tasks.packages.errors import BadLock
from tasks.packages.lock import LockedPackage

R6 = {"Package": "R6", "Version": "2.5.1", "Depends": "R (>= 3.0)"}
HTTPUV = {
    "Package": "httpuv",
    "Version": "1.6.9",
    "Depends": "R (>= 2.15.1)",
    "Imports": "Rcpp (>= 1.0.7), utils, R6,\n    promises, later (>= 0.8.0)",
    "LinkingTo": "Rcpp, later",
}
GITHUB = {
    "Package": "cli",
    "Version": "3.6.0.9000",
    "RemoteType": "github",
    "RemoteUsername": "r-lib",
    "RemoteRepo": "cli",
    "RemoteSha": "8f2a4c5d6e7f8a9b0c1d2e3f",
}


def rsconnect(**packages: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "locale": "en_US",
        "platform": "4.2.2",
        "metadata": {"appmode": "shiny"},
        "packages": packages,
        "files": {},
    }


def test_a_manifest_says_what_each_package_is_and_needs() -> None:
    lock = manifest.read(
        json.dumps(
            rsconnect(
                R6={"Source": "CRAN", "Repository": "https://r.example.com/", "description": R6},
                httpuv={"Source": "CRAN", "Repository": None, "description": HTTPUV},
                cli={"Source": "github", "Repository": None, "description": GITHUB},
            )
        )
    )
    assert lock is not None
    assert lock.r_version == "4.2.2"
    assert lock.packages == (
        LockedPackage("R6", "2.5.1", repository="https://r.example.com/"),
        LockedPackage("cli", "3.6.0.9000", remote="GitHub (r-lib/cli@8f2a4c5d6e7f)"),
        LockedPackage("httpuv", "1.6.9", needs=("Rcpp", "R6", "promises", "later")),
    )


@pytest.mark.parametrize("packages", [{}, None])
def test_a_manifest_without_packages_wants_none(packages: object) -> None:
    found = manifest.read(
        json.dumps(rsconnect() | {"packages": packages, "metadata": {"appmode": "python-shiny"}})
    )
    assert found is not None
    assert found.packages == ()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"name": "My app", "short_name": "app"}', "[" * 200_000, '{"metadata": {}}']
)
def test_another_file_called_manifest_json_is_the_apps_own_affair(text: str) -> None:
    assert manifest.read(text) is None


def test_renv_of_before_and_after_1_1() -> None:
    head = {
        "Version": "4.2.2",
        "Repositories": [{"Name": "CRAN", "URL": "https://r.example/2024-01-02"}],
    }
    old = {
        "R6": {
            "Package": "R6",
            "Version": "2.5.1",
            "Source": "Repository",
            "Repository": "CRAN",
            "Hash": "x",
            "Requirements": ["R"],
        },
        "httpuv": {
            "Package": "httpuv",
            "Version": "1.6.9",
            "Source": "Repository",
            "Repository": "RSPM",
            "Requirements": ["R6", "Rcpp"],
        },
    }
    new = {
        "R6": {**R6, "Source": "Repository", "Repository": "CRAN"},
        "httpuv": {
            **HTTPUV,
            "Source": "Repository",
            "Repository": "https://other.example",
            "Imports": ["R6", "Rcpp (>= 1.0.7)", "utils"],
            "LinkingTo": ["Rcpp"],
        },
        "cli": {**GITHUB, "Source": "GitHub"},
    }
    before = renv.read(json.dumps({"R": head, "Packages": old}))
    after = renv.read(json.dumps({"R": head, "Packages": new}))
    assert before.packages == (
        LockedPackage("R6", "2.5.1", repository="https://r.example/2024-01-02"),
        LockedPackage("httpuv", "1.6.9", needs=("R6", "Rcpp")),
    )
    assert after.packages == (
        LockedPackage("R6", "2.5.1", repository="https://r.example/2024-01-02"),
        LockedPackage("cli", "3.6.0.9000", remote="GitHub (r-lib/cli@8f2a4c5d6e7f)"),
        LockedPackage("httpuv", "1.6.9", repository="https://other.example", needs=("R6", "Rcpp")),
    )


PACKRAT = """\
PackratFormat: 1.4
PackratVersion: 0.9.1
RVersion: 4.2.2
Repos: CRAN=https://r.example/,
    INTERNAL=https://internal.example/

Package: httpuv
Source: CRAN
Version: 1.6.9
Hash: 0123456789abcdef
Requires: R6, Rcpp, later,
    promises

Package: own
Source: INTERNAL
Version: 0.1-2

Package: cli
Source: github
Version: 3.6.0.9000
GithubRepo: cli
GithubUsername: r-lib
GithubRef: main
GithubSha1: 8f2a4c5d6e7f8a9b
"""


def test_packrat() -> None:
    lock = packrat.read(PACKRAT)
    assert lock.r_version == "4.2.2"
    assert lock.packages == (
        LockedPackage("cli", "3.6.0.9000", remote="GitHub (r-lib/cli@8f2a4c5d6e7f)"),
        LockedPackage(
            "httpuv",
            "1.6.9",
            repository="https://r.example/",
            needs=("R6", "Rcpp", "later", "promises"),
        ),
        LockedPackage("own", "0.1-2", repository="https://internal.example/"),
    )


def test_what_comes_with_r_itself_is_not_wanted() -> None:
    lock = renv.read(
        json.dumps(
            {
                "Packages": {
                    "utils": {"Version": "4.2.2", "Source": "R"},
                    "odd": {"Version": "1.0", "Source": "R"},
                }
            }
        )
    )
    assert lock.packages == ()


@pytest.mark.parametrize(
    ("package", "why"),
    [
        (
            {"Source": "Repository"},
            'renv.lock: package "x1": it has no Version; write it again with renv::snapshot()',
        ),
        ({"Version": "new"}, 'package "x1": Version "new" is none of R\'s'),
        ({"Version": 3}, 'package "x1": Version must be text'),
        ("1.0", 'package "x1" must be an object'),
        ({"Package": "y2", "Version": "1.0"}, 'package "x1": its Package is "y2"'),
    ],
)
def test_an_error_names_file_package_rule_and_way_out(package: object, why: str) -> None:
    with pytest.raises(BadLock) as caught:
        renv.read(json.dumps({"R": {}, "Packages": {"x1": package}}))
    assert str(caught.value).startswith("renv.lock: ")
    assert why in str(caught.value)
    assert str(caught.value).endswith("renv::snapshot()")


@pytest.mark.parametrize("name", ["../x", "x", "a/b", ".hidden", "9lives", "x" * 200, ""])
def test_a_name_that_is_no_packages_never_gets_near_a_path(name: str) -> None:
    with pytest.raises(BadLock, match="a name has letters"):
        renv.read(json.dumps({"Packages": {name: {"Version": "1.0"}}}))
    with pytest.raises(BadLock):
        packrat.read(f"PackratFormat: 1.4\n\nPackage: {name}\nVersion: 1.0\n")


def test_which_file_holds(tmp_path: Path) -> None:
    assert locks.find(tmp_path) is None
    (tmp_path / "packrat").mkdir()
    (tmp_path / "packrat/packrat.lock").write_text(PACKRAT)
    found = locks.find(tmp_path)
    assert found is not None
    assert found.file == "packrat/packrat.lock"
    (tmp_path / "renv.lock").write_text(json.dumps({"Packages": {"R6": {"Version": "2.5.1"}}}))
    found = locks.find(tmp_path)
    assert found is not None
    assert found.file == "renv.lock"
    (tmp_path / "manifest.json").write_text(json.dumps(rsconnect()))
    found = locks.find(tmp_path)
    assert found is not None
    assert found.file == "renv.lock"
    (tmp_path / "manifest.json").write_text(
        json.dumps(rsconnect(R6={"Source": "CRAN", "description": R6}))
    )
    found = locks.find(tmp_path)
    assert found is not None
    assert found.file == "manifest.json"


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "renv.lock").write_bytes(b"\xff\xfe{}")
    with pytest.raises(BadLock, match=r"renv\.lock: it is not UTF-8"):
        locks.find(tmp_path)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["R6", "1.0", "GitHub", "R (>= 3.0), R6"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "R",
                    "Packages",
                    "packages",
                    "metadata",
                    "appmode",
                    "description",
                    "Version",
                    "Source",
                    "Repositories",
                    "Name",
                    "Imports",
                    "x1",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(values)
def test_any_json_is_read_or_refused_with_a_sentence(value: object) -> None:
    for read in (manifest.read, renv.read):
        try:
            read(json.dumps(value))
        except BadLock as error:
            assert "; write it again with" in str(error)


HEAD = "PackratFormat: 1.4\n"


@pytest.mark.parametrize(
    ("read", "text", "why"),
    [
        (renv.read, "[" * 100_000, "it is no JSON"),
        (renv.read, '{"R": ' * 100_000, "it is no JSON"),
        (renv.read, '{"R": ' + "9" * 1_000_000 + "}", "it is no JSON"),
        (
            packrat.read,
            HEAD + "\n" + "Package: ab\nVersion: 1.0\n\n" * 150_000,
            "at most 2,000 are allowed",
        ),
        (
            packrat.read,
            HEAD + "\n" + "Package: ab\nVersion: 1.0\n\n" * 2,
            'package "ab" is there twice',
        ),
        (packrat.read, "x:\n" + " a\n" * 1_500_000, "does not begin with PackratFormat"),
        (packrat.read, HEAD + "\nPackage: " + "a" * 4_000_000, "a name has letters"),
        (packrat.read, HEAD + "\nPackage: a1\nVersion: " + "1." * 2_000_000, "none of R's"),
    ],
    ids=range(8),
)
def test_what_is_made_to_be_slow_or_too_deep_is_refused_at_once(
    read: Callable[[str], Any], text: str, why: str
) -> None:
    began = time.process_time()
    with pytest.raises(BadLock, match=why):
        read(text)
    assert time.process_time() - began < 10


def test_a_manifest_that_is_too_deep_is_none_of_rsconnects() -> None:
    assert manifest.read("[" * 100_000) is None


@pytest.mark.parametrize("name", ["renv.lock", "packrat/packrat.lock", "packrat"])
def test_a_link_is_not_followed_to_a_lock_file(name: str, tmp_path: Path) -> None:
    secret, app = tmp_path / "elsewhere", tmp_path / "app"
    secret.mkdir()
    (secret / "packrat.lock").write_text(HEAD)
    path = app / name
    path.parent.mkdir(parents=True)
    path.symlink_to(secret if name == "packrat" else secret / "packrat.lock")
    with pytest.raises(BadLock, match="make it a file of the app's own"):
        locks.find(app)
