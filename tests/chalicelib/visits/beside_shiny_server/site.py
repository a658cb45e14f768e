"""The tree, the configurations and the questions. Nothing here knows who answers."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

from chalicelib.configuration.shiny_server_conf.reading import read

APP = """library(shiny)
shinyApp(
  function(req) httpResponse(200, "text/plain", paste("app", basename(getwd()), req$PATH_INFO)),
  function(input, output) {},
  uiPattern = ".*"
)
"""
TREE: Mapping[str, str] = {
    "site/hello/app.R": APP,
    "site/hello/data.csv": "a,b\n",
    "site/hello/inner/app.R": APP,
    "site/sub/deep/server.R": "shinyServer(function(input, output) {})",
    "site/sub/deep/ui.R": "library(shiny); fluidPage('deep')",
    "site/sub/page.html": "<p>page",
    "site/sub/empty/": "",
    "site/indexed/index.html": "<p>index",
    "site/indexed/index.htm": "<p>other",
    "site/a.txt": "0123456789",
    "site/B.html": "<p>B",
    "site/c d.css": "p{}",
    "site/e+f.js": "1",
    "site/g%h.txt": "g",
    "site/plot.PNG": "png",
    "site/script.R": "1 + 1",
    "site/noext": "x",
    "site/.hidden": "h",
    "site/.git/config": "g",
    "site/new": "n",
    "site/old/x.txt": "old",
    "other/z.txt": "z",
    "other/sub/y.txt": "y",
    "other/README": "r",
}
"""Path → content; a path that ends with a slash is an empty folder."""

_ROOTS = ("site", "site/sub", "site/indexed", "other", "missing")
_NAMES = ("sub", "old", "hello", "a.txt", "new", "indexed", "x%20y", "deep")


class Question(NamedTuple):
    """One request."""

    configuration: int
    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()


def configurations(root: str) -> list[str]:
    """Return what stands in each ``server``, besides ``listen``; ``root`` is the tree's folder."""
    fixed = [
        f"location / {{ site_dir {root}/site; directory_index on; }}",
        f"location / {{ site_dir {root}/site; }}",
        f"location /apps {{ site_dir {root}/site; directory_index on; }}"
        ' location /old { redirect "/new?x" 301; } location /gone { redirect rel 307 false; }',
        f"location / {{ site_dir {root}/site; directory_index on;"
        " location /sub { directory_index off; } location /hello { app_idle_timeout 7; }"
        f" location /old {{ site_dir {root}/other; }} }}",
        f"location /one {{ app_dir {root}/site/hello; }} location / {{ site_dir {root}/other; }}",
        f"location /x {{ site_dir {root}/other; }} location /x {{ site_dir {root}/site; }}"
        ' location "/caf%C3%A9" { redirect https://example.org/ 302 false; }',
    ]
    return [*fixed, *_generated(root, 14)]


def _generated(root: str, count: int) -> Iterator[str]:
    chance = random.Random(13)
    while count:
        text = " ".join(_location(root, chance, 2) for _ in range(chance.randint(1, 3)))
        if not read(_whole(text), "x").errors:
            count -= 1
            yield text


def _whole(text: str) -> str:
    return f"run_as shiny; log_dir /l; server {{ listen 1; {text} }}"


def _location(root: str, chance: random.Random, depth: int) -> str:
    path = "/" if chance.random() < 0.3 and depth == 2 else f"/{chance.choice(_NAMES)}"
    inside = [
        _location(root, chance, depth - 1)
        for _ in range(chance.choice((0, 0, 1, 2)) if depth else 0)
    ]
    if chance.random() < 0.4:
        inside.append(f"directory_index {chance.choice(('on', 'off'))};")
    match chance.randint(0, 9):
        case 0 | 1:
            exact, status = chance.choice(("true", "false")), chance.choice((301, 302, 307))
            inside.append(f"redirect {chance.choice(('/new', 'sub/', '/a?b'))} {status} {exact};")
        case 2:
            inside.append(f"app_dir {root}/site/hello;")
        case 3:
            pass
        case _:
            inside.append(f"site_dir {root}/{chance.choice(_ROOTS)};")
    chance.shuffle(inside)
    return f"location {path} {{ {' '.join(inside)} }}"


_ONCE: Sequence[tuple[str, str, Mapping[str, str]]] = (
    ("HEAD", "/a.txt", {}),
    ("POST", "/a.txt", {}),
    ("POST", "/sub", {}),
    ("HEAD", "/", {}),
    ("POST", "/", {}),
    ("OPTIONS", "/a.txt", {}),
    ("GET", "/a.txt", {"Range": "bytes=2-5"}),
    ("GET", "/a.txt", {"Range": "bytes=2-"}),
    ("GET", "/a.txt", {"Range": "bytes=-3"}),
    ("GET", "/a.txt", {"Range": "bytes=5-900"}),
    ("GET", "/a.txt", {"Range": "bytes=0-1,4-5"}),
    ("GET", "/a.txt", {"Range": "bytes=90-"}),
    ("GET", "/a.txt", {"Range": "lines=1-2"}),
    ("GET", "/a.txt", {"If-None-Match": "*"}),
    ("GET", "/a.txt", {"If-None-Match": '"x"'}),
    ("GET", "/a.txt", {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}),
    ("GET", "/a.txt", {"If-Modified-Since": "Fri, 01 Jan 2010 00:00:00 GMT"}),
    ("GET", "/a.txt", {"If-Match": '"x"'}),
    ("GET", "/robots.txt", {}),
    ("GET", "/__sockjs__/info", {}),
    ("GET", "/%zz", {}),
    ("GET", "/%ff", {}),
    ("GET", "/a%00", {}),
    ("GET", "//sub", {}),
)


def questions(count: int) -> Iterator[Question]:
    """Yield what the first configuration alone is asked, then ``count`` questions at random."""
    for method, path, headers in _ONCE:
        yield Question(0, method, path, tuple(headers.items()))
    texts = configurations("/r")
    chance = random.Random(31)
    seen: set[tuple[int, str]] = set()
    while len(seen) < count:
        number = len(seen) % len(texts)
        path = _path(chance)
        if (number, path) not in seen:
            seen.add((number, path))
            yield Question(number, "GET", path)


def _path(chance: random.Random) -> str:
    entry = chance.choice([*TREE, *TREE, "site/", "other/", "site/nothing", "site/sub/no.txt"])
    inside = quote(entry.partition("/")[2], safe="/+")
    before = chance.choice(("", "", "", "apps/", "x/", "old/", "sub/", "hello/", "one/", "new/"))
    path = f"/{before}{inside}"
    for _ in range(chance.choice((0, 0, 0, 1, 1, 2))):
        at = chance.randrange(len(path))
        match chance.randint(0, 11):
            case 0:
                path += "/"
            case 1:
                path = path.rstrip("/") or "/"
            case 2:
                path = path[:at] + "/" + path[at:]
            case 3:
                path = path.rpartition("/")[0] or "/"
            case 4 if path[at] not in "/%" and "%" not in path:
                path = f"{path[:at]}%{ord(path[at]):02x}{path[at + 1 :]}"
            case 5:
                path = path.replace("/", chance.choice(("/./", "/../", "/%2e/", "//")), 1)
            case 6:
                path += chance.choice(("%2f", "%5c", "x", "+", "%20"))
            case 7:
                path = path.swapcase() if "%" not in path else path
            case 8:
                path += "/x.txt"
            case _:
                path += chance.choice(("?a=1", "?a=1&b=%20x", "")) if "?" not in path else ""
                break
    return path
