"""What each page says, and that nothing put into one can become part of its markup."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib import pages
from chalicelib.pages import AppEntry, FolderLine, Page
from chalicelib.pages.lookup import OWN, find, policy

EVIL = (
    "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;{{app_name}}{{> "
    "style.css}}</title></pre>"
)

texts = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from([*"<>\"'&#`= /", "{{", "}}", "script", "</", "--", "\x00", "\ud800"])
    ).map("".join),
)
SURROGATES_AND_NUL = re.compile("[\x00\ud800-\udfff]")


STARTS = ["//", "/\\", "\\\\", "/\t/", "http:", " ", "java\nscript:"]


class Outline(HTMLParser):
    """A page's elements and attributes, and every text and attribute value in it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.shape: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.links: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append((tag, tuple(name for name, _ in attrs)))
        self.texts += [value or "" for _, value in attrs]
        self.links += [
            value or ""
            for name, value in attrs
            if name in ("href", "data-status-url") and tag != "link"
        ]

    def handle_endtag(self, tag: str) -> None:
        self.shape.append(("/" + tag, ()))

    def handle_comment(self, data: str) -> None:
        self.shape.append(("!--", ()))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def every_page(text: str) -> Iterable[Page]:
    """One of each kind, with `text` wherever a text goes."""
    yield pages.waiting(text, text, "/s", note=text)
    yield pages.not_found(text[:300], "/")
    yield pages.error(text, text, text, "/")
    yield pages.users(text)
    yield pages.busy(text, "/s", text)
    yield pages.apps_index(
        [
            AppEntry(text, text.replace("/", ""), "/a", "running"),
            AppEntry("b", "/b", "/b", "sleeping"),
        ]
    )
    yield pages.no_machine(text)
    yield pages.folder(text, [FolderLine(text, "a/")], [FolderLine("b", "b")])
    yield pages.forbidden(text)
    yield pages.nothing_here(text)
    yield pages.not_published(text)
    form = pages.Form("/__login__", "t")
    yield pages.sign_in(form, "/", problem=text, user=text)
    yield pages.sign_out(form, text)
    yield pages.signed_out(text, "/__login__", "/")
    yield pages.not_allowed(text, text, text, "/__login__")


def as_sent(text: str) -> str:
    """What a browser reads back of `text`: the page cannot carry the rest."""
    return SURROGATES_AND_NUL.sub(lambda found: "" if found[0] == "\x00" else "?", text)


@given(text=texts.filter(lambda text: bool(text.strip())))
@example(text=EVIL)
@settings(max_examples=150, deadline=None)
def test_no_text_changes_the_shape_of_a_page_and_each_is_read_back_whole(text: str) -> None:
    for page, plain in zip(every_page(text), every_page("x"), strict=True):
        page.html.encode("utf-8")
        outline = Outline(page.html)
        assert outline.shape == Outline(plain.html).shape
        expected = as_sent(text if page.status != 404 else text[:300]).replace("\r", "")
        assert any(expected in found.replace("\r", "") for found in outline.texts)


@given(url=st.one_of(texts, st.tuples(st.sampled_from(STARTS), texts).map("".join)))
@example(url="javascript:alert(1)")
@example(url="/\t/evil.example")
@example(url="\x01javascript:alert(1)")
@example(url="\\\\evil.example")
@example(url="http:evil.example")
@example(url="data:text/html,x")
@settings(max_examples=300, deadline=None)
def test_no_url_leaves_the_host_unless_it_is_plainly_http(url: str) -> None:
    plainly = re.match(
        r"https?://[^/\\]", re.sub(r"[\x00-\x1f\x7f]", "", url).lstrip(), re.IGNORECASE
    )
    for page in (
        pages.waiting("a", "i", url),
        pages.not_found("/", url),
        pages.error("t", "m", None, url),
        pages.apps_index(
            [AppEntry("a", "/a", url, "running")], "", pages.SignInLinks(url, url, "kim")
        ),
        pages.apps_index([], "", pages.SignInLinks(url, url)),
        pages.not_found("/", "/", url),
        pages.not_allowed("t", "m", "kim", url),
        pages.signed_out("m", url, url),
    ):
        for link in Outline(page.html).links:
            # What a browser does first: whitespace inside goes, backslashes are slashes.
            seen = re.sub(r"[\t\r\n]", "", link.strip()).replace("\\", "/")
            if plainly:
                continue
            assert not re.match(r"[a-z][a-z0-9+.-]*:", seen, re.IGNORECASE), link
            assert not seen.startswith("//"), link
            path = re.split("[?#]", seen)[0]
            assert urlsplit(urljoin("https://sheen.example/a/", path)).hostname == "sheen.example"


@pytest.mark.parametrize(
    "page", [*every_page("x"), pages.apps_index([])], ids=lambda page: str(page.status)
)
def test_a_page_asks_for_nothing_but_itself_and_runs_only_what_its_policy_names(page: Page) -> None:
    assert not re.search(r"""(?:src|href|action|url\()\s*=?\s*["']?(?:https?:)?//""", page.html)
    assert not re.search(
        r"\s(?:style|on\w+)=",
        re.sub(r"<(style|script)\b[^>]*>.*?</\1>", "", page.html, flags=re.DOTALL),
    )
    # The policy is of the page as it went out: values inside style or script would break it.
    assert page.headers["content-security-policy"] == policy(page.html)
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert "{{" not in page.html


@pytest.mark.parametrize("template", sorted(OWN.glob("*.html")), ids=lambda path: path.name)
def test_no_value_stands_in_a_style_or_script(template: Path) -> None:
    for body in re.findall(
        r"<(?:style|script)\b[^>]*>(.*?)</", find(template.name).template.source, re.DOTALL
    ):
        assert "{{" not in body


def test_waiting_shows_the_steps_before_and_after_the_phase() -> None:
    page = pages.waiting(
        "hello", "0123", "/hello/__sheen__/start?instance=0123&a=1", phase="R", elapsed=8.7
    )
    assert page.status == 202
    assert page.headers["retry-after"] == "3"
    steps = re.findall(r'data-step="(\w+)" data-state="(\w+)"', page.html)
    assert steps == [("machine", "done"), ("R", "now"), ("files", "todo"), ("app", "todo")]
    assert 'data-status-url="/hello/__sheen__/start?instance&#x3D;0123&amp;a&#x3D;1"' in page.html
    assert 'data-elapsed="9"' in page.html
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page.html
    assert 'aria-live="polite"' in page.html


def test_error_leaves_out_what_it_was_not_given() -> None:
    bare = pages.error("Went wrong", "Try later.")
    assert bare.status == 500
    assert "<pre" not in bare.html and "Try again" not in bare.html
    full = pages.error(
        "Went wrong", "Try later.", "Error in f(): <x>", "/hello/?a=1&b=2", status=503
    )
    assert full.status == 503
    assert "Error in f(): &lt;x&gt;</pre>" in full.html
    assert 'href="/hello/?a&#x3D;1&amp;b&#x3D;2"' in full.html


def test_users_tries_again_with_and_without_script() -> None:
    page = pages.users("hello", 20)
    assert (page.status, page.headers["retry-after"]) == (503, "20")
    assert 'data-retry-after="20"' in page.html
    assert '<meta http-equiv="refresh" content="20">' in page.html


def test_apps_are_listed_by_name_with_their_state() -> None:
    page = pages.apps_index(
        [
            AppEntry("zeta", "/zeta", "/zeta/", "running"),
            AppEntry("Alpha", "/alpha", "/alpha/", "sleeping"),
            AppEntry("beta", "/beta", "/beta/", "starting"),
            AppEntry("gamma", "/gamma", "/gamma/", "running"),
        ]
    )
    assert re.findall(r"<bdi>(\w+)</bdi>", page.html) == ["Alpha", "beta", "gamma", "zeta"]
    assert re.findall(r'<span class="state \w+">([^<]+)<', page.html) == [
        "Sleeping",
        "Waking up",
        "Awake",
        "Awake",
    ]
    assert "4 apps" in page.html and "No apps yet" not in page.html


MANY = [
    AppEntry(name, f"{folder}/{name}", f"{folder}/{name}/", "sleeping")
    for folder in ("", "/team", "/team/eu")
    for name in ("abc", "bcd", "cde")
]


def test_apps_are_in_the_folders_of_their_addresses_and_are_found_by_words_of_title_and_address() -> (  # noqa: E501
    None
):
    page = pages.apps_index(MANY)
    assert re.findall(r"<summary><bdi>([^<]+)</bdi> <small>([^<]+)", page.html) == [
        ("team", "3 apps"),
        ("team / eu", "3 apps"),
    ]
    assert '<input id="search"' in page.html
    assert "form-action 'self'" in page.headers["content-security-policy"]
    found = pages.apps_index(MANY, " EU  bc ")
    assert re.findall(r"<bdi>(\w+)</bdi></b><small>([^<]+)", found.html) == [
        ("abc", "/team/eu/abc"),
        ("bcd", "/team/eu/bcd"),
    ]
    assert "2 of 9 apps" in found.html
    assert 'value="EU  bc"' in found.html
    nothing = pages.apps_index(MANY, "x" * 5000)
    assert "<ul" not in nothing.html
    assert "x" * 101 not in nothing.html
    assert 'class="nothing">' in nothing.html
    assert '<input id="search"' not in pages.apps_index(MANY[:3]).html


def test_without_apps_the_index_says_how_to_publish_one() -> None:
    page = pages.apps_index([])
    assert "sheen publish" in page.html
    assert "<ul" not in page.html


STATES = st.sampled_from(["sleeping", "starting", "running"])


@given(apps=st.lists(st.builds(AppEntry, texts, texts, texts, STATES)))
@settings(max_examples=50, deadline=None)
def test_any_list_of_apps_gives_one_link_each(apps: list[AppEntry]) -> None:
    assert len(Outline(pages.apps_index(apps).html).links) == len(apps)
