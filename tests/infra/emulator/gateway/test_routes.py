from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.emulator.gateway import RestRoute, RestRoutes
from infra.emulator.gateway.routes import match_route

CHALICE = RestRoutes(
    (
        RestRoute("/{proxy+}", frozenset({"GET", "POST"}), "page"),
        RestRoute("/", frozenset({"GET"}), "page"),
        RestRoute("/api/{app}", frozenset({"GET"}), "one"),
        RestRoute("/api/apps", frozenset({"GET"}), "apps"),
        RestRoute("/api/{app}/{rest+}", frozenset({"ANY"}), "rest"),
    )
)


@pytest.mark.parametrize(
    ("path", "template", "parameters"),
    [
        ("/", "/", {}),
        ("/hello", "/{proxy+}", {"proxy": "hello"}),
        ("/hello/", "/{proxy+}", {"proxy": "hello"}),
        ("/a/b/c.js", "/{proxy+}", {"proxy": "a/b/c.js"}),
        ("/a%2Fb/%40", "/{proxy+}", {"proxy": "a%2Fb/%40"}),
        ("/api/apps", "/api/apps", {}),
        ("/api/apps/", "/api/apps", {}),
        ("/api/hello", "/api/{app}", {"app": "hello"}),
        ("/api/hello/x/y", "/api/{app}/{rest+}", {"app": "hello", "rest": "x/y"}),
        ("/api", "/{proxy+}", {"proxy": "api"}),
    ],
)
def test_the_most_specific_resource_answers(
    path: str, template: str, parameters: dict[str, str]
) -> None:
    found = match_route(CHALICE, "GET", path)
    assert found is not None
    assert (found.route.path, found.parameters) == (template, parameters)


def test_a_greedy_resource_does_not_match_the_path_above_it() -> None:
    only = RestRoutes((RestRoute("/{proxy+}", frozenset({"GET"}), "page"),))
    assert match_route(only, "GET", "/") is None
    assert match_route(only, "GET", "//") is None


def test_a_method_that_the_resource_lacks_is_not_looked_for_in_others() -> None:
    assert match_route(CHALICE, "POST", "/api/apps") is None
    assert match_route(CHALICE, "DELETE", "/hello") is None
    assert match_route(CHALICE, "PATCH", "/api/a/b") is not None


def test_one_resource_may_have_each_method_from_another_function() -> None:
    routes = RestRoutes(
        (RestRoute("/x", frozenset({"GET"}), "get"), RestRoute("/x", frozenset({"POST"}), "post"))
    )
    for method, function in (("GET", "get"), ("POST", "post")):
        found = match_route(routes, method, "/x")
        assert found is not None
        assert found.route.function == function


@given(
    st.lists(st.text("ab%/.~-", min_size=1, max_size=6), max_size=5).map(
        lambda parts: "/" + "/".join(parts)
    )
)
def test_the_greedy_parameter_is_the_path_without_its_slashes_at_the_ends(path: str) -> None:
    only = RestRoutes((RestRoute("/{proxy+}", frozenset({"GET"}), "page"),))
    found = match_route(only, "GET", path)
    if path.strip("/"):
        assert found is not None
        assert found.parameters["proxy"] == path[1:].rstrip("/")
    else:
        assert found is None
