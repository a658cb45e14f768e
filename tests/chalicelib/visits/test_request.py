"""What a proxy event says of a visitor's request."""

from typing import Any

from chalicelib.visits.request import EDGE_HEADER, VisitorRequest
from chalicelib.visits.routing import SlashRedirect, destination


def event(headers: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "httpMethod": "GET",
        "path": "/team/app/",
        "multiValueHeaders": headers,
        "requestContext": {"path": "/__live/team/app/", "requestId": "1"},
    }


def test_on_the_gateways_own_domain_the_stage_comes_before_the_path() -> None:
    request = VisitorRequest.from_event(
        event({"Host": ["abc.execute-api.eu-central-1.amazonaws.com"]})
    )
    assert (request.base, request.path) == ("/__live", "/team/app/")


def test_the_stage_alone_without_a_slash_is_the_root_below_the_stage() -> None:
    """For https://ID.execute-api…/__live API Gateway tells the path "/" and the context's path
    "/__live".
    """
    stage_only = event({}) | {"path": "/", "requestContext": {"path": "/__live", "requestId": "1"}}
    request = VisitorRequest.from_event(stage_only)
    assert (request.base, request.path, request.bare) == ("/__live", "/", True)
    assert destination(request, "/", "/") == SlashRedirect("/__live/"), (
        "relative URLs of an app at the root lead nowhere from /__live"
    )
    with_slash = stage_only | {"requestContext": {"path": "/__live/", "requestId": "1"}}
    assert VisitorRequest.from_event(with_slash)[:3] == ("GET", "/", "/__live")
    own_domain = stage_only | {"requestContext": {"path": "/", "requestId": "1"}}
    assert VisitorRequest.from_event(own_domain)[:3] == ("GET", "/", "")
    assert (
        not VisitorRequest.from_event(with_slash).bare
        and not VisitorRequest.from_event(own_domain).bare
    )


def test_behind_cloudfront_it_does_not_as_cloudfront_puts_it_there() -> None:
    request = VisitorRequest.from_event(event({"Sheen-Edge": ["secret"]}))
    assert (request.base, request.path) == ("", "/team/app/")
    assert request.header(EDGE_HEADER) == "secret"


def test_the_host_is_the_one_that_the_visitor_asked() -> None:
    asked = {"Host": ["gw.example"], "X-Forwarded-Host": ["apps.example.com"]}
    assert VisitorRequest.from_event(event(asked)).host == "gw.example"
    assert (
        VisitorRequest.from_event(event({"Sheen-Edge": ["secret"], **asked})).host
        == "apps.example.com"
    )
