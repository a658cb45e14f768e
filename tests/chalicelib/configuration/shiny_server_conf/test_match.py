"""Which location answers a request."""

import time
from urllib.parse import unquote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chalicelib.configuration.shiny_server_conf.match import Arrival, Matcher
from chalicelib.configuration.shiny_server_conf.model import (
    AppDir,
    Configuration,
    Location,
    Redirect,
    SiteDir,
    UserDirs,
)
from chalicelib.configuration.shiny_server_conf.outcomes import (
    AddSlash,
    AppAt,
    Closed,
    FileAt,
    Forbidden,
    Listing,
    NotFound,
    Outcome,
    RedirectTo,
)
from chalicelib.configuration.shiny_server_conf.paths import Prefixes
from chalicelib.configuration.shiny_server_conf.reading import read
from chalicelib.configuration.shiny_server_conf.site_dir import Entry
from tests.chalicelib.configuration.shiny_server_conf.trees import Files, configuration
from tests.support.effort import amount

HEAD = "run_as x; log_dir /l;"


def decide(locations: str, path: str, files: Files | None = None) -> Outcome:
    found = configuration(f"{HEAD} server {{ listen 80; {locations} }}")
    return Matcher(found).decide(Arrival(path), files or Files())


SITE = "location / { site_dir /s; directory_index on; }"
FILES = Files(
    [
        "/s/app/!",
        "/s/app/inner/!",
        "/s/dir/a.csv",
        "/s/dir/app2/!",
        "/s/ü/!",
        "/s/a b/x",
        "/s/home/index.html",
        "/s/.git/config",
    ]
)


@pytest.mark.parametrize(
    ("path", "folder", "prefix", "rest"),
    [
        ("/app/", "/s/app", "/app", "/"),
        ("/app/inner/x", "/s/app", "/app", "/inner/x"),
        ("/app/data.csv", "/s/app", "/app", "/data.csv"),
        ("/dir/app2/x/y", "/s/dir/app2", "/dir/app2", "/x/y"),
        ("/%C3%BC/", "/s/ü", "/%C3%BC", "/"),
        ("//dir//app2//", "/s/dir/app2", "//dir//app2", "//"),
    ],
)
def test_the_first_app_on_the_path_has_what_is_below(
    path: str, folder: str, prefix: str, rest: str
) -> None:
    found = decide(SITE, path, FILES)
    assert isinstance(found, AppAt)
    assert (found.folder, found.prefix, found.rest) == (folder, prefix, rest)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/app", AddSlash),
        ("/dir", AddSlash),
        ("/dir/", Listing),
        ("/", Listing),
        ("/dir/a.csv", FileAt),
        ("/a%20b/x", FileAt),
        ("/home/", FileAt),
        ("/dir/a.csv/", NotFound),
        ("/dir/none", NotFound),
        ("/DIR/", NotFound),
        ("/a+b/x", NotFound),
        ("/%2F/", NotFound),
        ("/dir%2Fa.csv", NotFound),
        ("/dir%5Ca.csv", NotFound),
        ("/%20/", NotFound),
        ("/%FF/", NotFound),
        ("/x%00y", NotFound),
        ("/.git/config", Forbidden),
        ("/%2egit/config", Forbidden),
        ("/app/.git/config", Forbidden),
        ("/dir/../app/", Forbidden),
        ("/dir/%2e%2e/app/", Forbidden),
        ("/dir%2f.x", Forbidden),
        ("", NotFound),
        ("*", NotFound),
    ],
)
def test_a_site_dir_answers(path: str, kind: type) -> None:
    assert isinstance(decide(SITE, path, FILES), kind)


def test_a_listing_has_the_folders_path_as_its_title() -> None:
    found = decide("location /x { site_dir /s; directory_index on; }", "/x/a%20b/", FILES)
    assert isinstance(found, Listing)
    assert (found.folder, found.title) == ("/s/a b", "/a b/")


def test_a_location_matches_at_the_boundary_of_a_segment() -> None:
    locations = "location old/ { redirect /new 301 false; }"
    for path, kind in (
        ("/old", RedirectTo),
        ("/old/", RedirectTo),
        ("/old/x", RedirectTo),
        ("/oldx", NotFound),
        ("/OLD", NotFound),
        ("//old", NotFound),
        ("/%6fld", NotFound),
    ):
        assert isinstance(decide(locations, path), kind), path


def test_a_redirect_sends_its_url_as_it_is() -> None:
    for path in ("/old", "/old/"):
        found = decide("location /old { redirect ../x?y 307; }", path)
        assert isinstance(found, RedirectTo)
        assert (found.url, found.status) == ("../x?y", 307)
    assert isinstance(decide("location /old { redirect /x; }", "/old/a"), NotFound)


def test_an_app_dir_takes_everything_below_and_wants_a_slash() -> None:
    locations = "location /a { app_dir /srv/a; }"
    slash = decide(locations, "/a")
    assert isinstance(slash, AddSlash)
    assert slash.path == "/a/"
    app = decide(locations, "/a/.x/y")
    assert isinstance(app, AppAt)
    assert (app.folder, app.prefix, app.rest) == ("/srv/a", "/a", "/.x/y")


def test_the_files_order_decides_and_not_the_longest_path() -> None:
    for order, folder in ((1, "/one"), (-1, "/two")):
        blocks = ["location / { app_dir /one; }", "location /b { app_dir /two; }"]
        found = decide(" ".join(blocks[::order]), "/b/")
        assert isinstance(found, AppAt)
        assert found.folder == folder


def test_a_nested_location_has_root_and_prefix_of_the_one_around_it() -> None:
    locations = """
        location /depts { site_dir /d; location /finance { directory_index on; }
                          location /own { site_dir /o; } }"""
    files = Files(["/d/finance/app/!", "/o/app/!", "/d/own/other/!"])
    app = decide(locations, "/depts/finance/app/", files)
    assert isinstance(app, AppAt)
    assert (app.folder, app.location.path) == ("/d/finance/app", "/depts/finance")
    assert isinstance(decide(locations, "/depts/finance/", files), Listing)
    assert isinstance(decide(locations, "/depts/finance", files), AddSlash)
    assert isinstance(decide(locations, "/depts/", files), NotFound)
    own = decide(locations, "/depts/own/app/", files)
    assert isinstance(own, AppAt)
    assert own.folder == "/o/app"
    around = decide(locations, "/depts/own/other/", files)
    assert isinstance(around, AppAt)
    assert around.location.path == "/depts"


USERS = Files(
    ["~ann/ShinyApps/app/!", "~ann/ShinyApps/log/x.log", "~ann/ShinyApps/logo.png"],
    {"ann": ("staff",), "bob": ("staff",)},
)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/u/ann/app/", AppAt),
        ("/u/ann/", Listing),
        ("/u/ann", NotFound),
        ("/u/", NotFound),
        ("/u", NotFound),
        ("/u/bob/", NotFound),
        ("/u/eve/", NotFound),
        ("/u/ann/log/x.log", Forbidden),
        ("/u/ann//log", Forbidden),
        ("/u/ann/logo.png", FileAt),
    ],
)
def test_user_dirs_lead_to_homes(path: str, kind: type) -> None:
    locations = "location /u { user_dirs; run_as :HOME_USER:; directory_index on; }"
    found = configuration(f"server {{ listen 80; {locations} }}")
    assert isinstance(Matcher(found).decide(Arrival(path), USERS), kind)


SERVERS = configuration("""
    run_as x; log_dir /l;
    server { listen 80; location / { app_dir /any; } }
    server { listen 80; server_name a.org B.org; location /x { app_dir /named; } }
    server { listen 80 10.0.0.1; location /x { app_dir /address; } }
    server { listen 80 10.0.0.1; server_name a.org; location /y { app_dir /both; } }
    server { listen 81; server_name *.c.org; location / { app_dir /literal; } }
""")


@pytest.mark.parametrize(
    ("path", "host", "port", "address", "folder"),
    [
        ("/z/", "z.org", 80, "10.0.0.2", "/any"),
        ("/x/", "a.org", 80, "10.0.0.2", "/named"),
        ("/x/", "A.ORG:8080", 80, "10.0.0.2", "/named"),
        ("/x/", "b.org", 80, "10.0.0.2", "/named"),
        ("/z/", "a.org", 80, "10.0.0.2", "/any"),
        ("/x/", "z.org", 80, "10.0.0.1", "/address"),
        ("/x/", "a.org", 80, "10.0.0.1", "/named"),
        ("/y/", "a.org", 80, "10.0.0.1", "/both"),
        ("/y/", "a.org", 80, "10.0.0.2", "/any"),
        ("/x/", "www.c.org", 81, "10.0.0.2", None),
        ("/x/", "*.c.org", 81, "10.0.0.2", "/literal"),
        ("/x/", "z.org", 82, "10.0.0.2", None),
        ("/x/", "*.c.org", None, None, "/literal"),
    ],
)
def test_the_best_server_that_handles_the_request_answers(
    path: str, host: str, port: int | None, address: str | None, folder: str | None
) -> None:
    found = Matcher(SERVERS).decide(Arrival(path, host, port, address), Files())
    assert (found.folder if isinstance(found, AppAt) else None) == folder


def closed(locations: str, path: str, files: Files = FILES) -> bool:
    return isinstance(decide(locations, path, files), Closed)


@pytest.mark.parametrize("path", ["/dir/", "//dir/", "/%64ir/", "/dir//a.csv", "/dir/a.csv"])
def test_another_spelling_of_a_closed_path_is_closed(path: str) -> None:
    around = """location / { site_dir /s; directory_index on;
                             location /dir { required_user ann; directory_index off; } }"""
    beside = """location / { site_dir /s; directory_index on; }
                location /dir { site_dir /other; required_user ann; }"""
    assert closed(around, path)
    assert not closed(around, "/app/")
    if path.startswith(("//", "/%")):
        assert closed(beside, path)


def test_a_nested_location_may_be_open_in_a_closed_one() -> None:
    locations = """location / { site_dir /s; required_user *; directory_index on;
                                location /dir { required_user **; } }"""
    assert closed(locations, "/app/")
    assert closed(locations, "/")
    assert isinstance(decide(locations, "/dir/a.csv", FILES), FileAt)


@pytest.mark.parametrize(
    ("directives", "is_closed"),
    [
        ("required_user ann;", True),
        ("required_user *;", True),
        ("required_user;", True),
        ("required_user **;", False),
        ("required_group staff;", True),
        ("required_user **; required_group staff;", True),
        ("run_as :AUTH_USER:;", True),
        ("run_as :AUTH_USER: shiny;", False),
        ("run_as :AUTH_USER: :HOME_USER:;", True),
        ("", False),
    ],
)
def test_whoever_asks_for_a_login_is_closed(directives: str, is_closed: bool) -> None:
    location = f"location / {{ app_dir /a; {directives} }}"
    assert closed(location, "/") == is_closed
    top = configuration(
        f"log_dir /l; {directives or 'run_as x;'}"
        f" {'' if 'run_as' in directives else 'run_as x;' if directives else ''}"
        " server { listen 80; location / { app_dir /a; } }"
    )
    assert isinstance(Matcher(top).decide(Arrival("/"), Files()), Closed) == is_closed


# A slow model of the same rules, written in another way.


def model(configuration: Configuration, arrival: Arrival, files: Files) -> Outcome:
    scored = []
    for site in configuration.sites:
        address = 1 if site.host in ("*", "::") else 2 * (site.host == arrival.address)
        name = 0 if not site.names else 3 if arrival.host in site.names else None
        if site.port == arrival.port and address and name is not None:
            scored.append((address + name, site))
    tried = None
    for _, site in sorted(scored, key=lambda pair: -pair[0]):
        tried = site
        for location in site.locations:
            if arrival.path == location.path or arrival.path.startswith(location.path + "/"):
                found = handled(location, arrival.path, files)
                if found is not None:
                    return found
    return NotFound(tried)


def handled(location: Location, path: str, files: Files) -> Outcome | None:
    target = location.target
    rest = path.removeprefix(target.base)
    match target:
        case AppDir():
            if rest == "":
                return AddSlash(location, path + "/")
            return AppAt(location, target.path, target.base, rest)
        case Redirect():
            reached = not target.exact or rest in ("", "/")
            return RedirectTo(location, target.url, target.status) if reached else None
        case SiteDir():
            return in_tree(location, target, rest, path, files)
        case UserDirs():
            raise AssertionError("the model has no users")


def in_tree(
    location: Location, target: SiteDir, rest: str, path: str, files: Files
) -> Outcome | None:
    if "/." in unquote(path):
        return Forbidden(location)
    if rest == "":
        return None
    names = [unquote(part) for part in rest.split("/") if part]
    folders = [target.root, *(
        target.root + "/" + "/".join(names[: depth + 1]) for depth in range(len(names))
    )]  # fmt: skip
    for depth, folder in enumerate(folders):
        if any("/" in name for name in names[:depth]):
            return None
        if files.kind(folder) is Entry.APP:
            parts = rest.split("/")
            filled = [index for index, part in enumerate(parts) if part][:depth]
            last = filled[-1] + 1 if filled else 1
            own, below = "/".join(parts[:last]), parts[last:]
            if depth and not below:
                return AddSlash(location, path + "/")
            return AppAt(location, folder, target.base + own, "/" + "/".join(below))
        if files.kind(folder) is not Entry.FOLDER and depth < len(names):
            return None
    end = folders[-1]
    if files.kind(end) is Entry.FILE:
        return None if rest.endswith("/") else FileAt(location, end)
    if files.kind(end) is Entry.FOLDER:
        if not rest.endswith("/"):
            return AddSlash(location, path + "/")
        if files.kind(end + "/index.html") is Entry.FILE:
            return FileAt(location, end + "/index.html")
        if location.directory_index:
            return Listing(location, end, "/" + "/".join(names))
    return None


SEGMENTS = st.sampled_from(["a", "b", "c", "%61", ".a", "", "a%2fb"])
PATHS = st.lists(SEGMENTS, max_size=4).map(lambda parts: "/" + "/".join(parts))
ENTRIES = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["a", "b", "c"]), max_size=3),
        st.sampled_from(["", "!", "index.html", "a", "b"]),
    ).map(lambda pair: "/".join(["/s", *pair[0], pair[1]])),
    max_size=6,
)
TARGETS = st.sampled_from(
    [
        "app_dir /a;",
        "site_dir /s;",
        "site_dir /s; directory_index on;",
        "site_dir /s/a;",
        "redirect /r;",
        "redirect /r 301 false;",
    ]
)


@st.composite
def location_blocks(draw: st.DrawFn, depth: int = 0) -> str:
    path = draw(st.sampled_from(["/", "a", "/b/", "/a/b", "/%61"]))
    target = draw(TARGETS)
    nested = ""
    if depth < 2 and "app_dir" not in target:
        nested = " ".join(draw(st.lists(location_blocks(depth + 1), max_size=2)))
        if draw(st.booleans()):
            nested += " location /c { directory_index off; }"
    return f"location {path} {{ {target} {nested} }}"


@st.composite
def server_blocks(draw: st.DrawFn, number: int) -> str:
    listen = draw(st.sampled_from(["80", "80 10.0.0.1", "81"]))
    names = draw(st.sampled_from(["", f"server_name n{number} a;", f"server_name n{number};"]))
    locations = " ".join(draw(st.lists(location_blocks(), max_size=4)))
    return f"server {{ listen {listen}; {names} {locations} }}"


@settings(max_examples=amount(2000, 200), deadline=None)
@given(
    st.tuples(server_blocks(0), server_blocks(1), server_blocks(2)),
    ENTRIES,
    PATHS,
    st.sampled_from(["a", "n0", "n2", "z"]),
    st.sampled_from(["10.0.0.1", "10.0.0.2"]),
)
def test_a_slow_model_decides_the_same(
    servers: tuple[str, ...], entries: list[str], path: str, host: str, address: str
) -> None:
    found = read(" ".join([HEAD, *servers]), "x.conf").configuration
    assume(found is not None)  # two servers may have the same port, address and name
    assert found is not None
    files = Files(["/s/", *entries])
    arrival = Arrival(path, host, 80, address)
    assert Matcher(found).decide(arrival, files) == model(found, arrival, files)


@given(
    st.lists(st.lists(st.sampled_from(["a", "b", ""]), max_size=3), max_size=8),
    st.text(st.sampled_from("ab/"), max_size=8),
)
def test_prefixes_are_those_at_the_boundary_of_a_segment(paths: list[list[str]], path: str) -> None:
    prefixes: Prefixes[int] = Prefixes()
    written = ["".join(f"/{part}" for part in parts) for parts in paths]
    for number, one in enumerate(written):
        prefixes.add(one, number)
    assert sorted(prefixes.of(path)) == [
        number for number, one in enumerate(written) if path == one or (path.startswith(one + "/"))
    ]


def seconds(matcher: Matcher, arrivals: list[Arrival]) -> float:
    def once() -> float:
        start = time.perf_counter()
        for arrival in arrivals:
            matcher.decide(arrival, FILES)
        return time.perf_counter() - start

    return min(once() for _ in range(7))


def test_a_lookup_among_a_thousand_locations_costs_what_one_among_ten_costs() -> None:
    def matcher(count: int) -> Matcher:
        blocks = " ".join(f"location /g/a{n} {{ app_dir /srv/{n}; }}" for n in range(count))
        return Matcher(configuration(f"{HEAD} server {{ listen 80; {blocks} }}"))

    arrivals = [Arrival(f"/g/a{n % 10}/x") for n in range(2000)]
    small, large = matcher(10), matcher(1000)
    assert seconds(large, arrivals) < 2 * seconds(small, arrivals)
