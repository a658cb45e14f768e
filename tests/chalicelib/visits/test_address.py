"""Where a request comes from."""

from typing import Any

import pytest

from chalicelib.visits.address import address, edge_proof, network, site_host, tag
from chalicelib.visits.request import VisitorRequest

PROOF = edge_proof("the secret")


def request(source: str, **headers: str) -> VisitorRequest:
    event: dict[str, Any] = {
        "httpMethod": "GET",
        "path": "/",
        "multiValueHeaders": {name.replace("_", "-"): [value] for name, value in headers.items()},
        "requestContext": {"identity": {"sourceIp": source}},
    }
    return VisitorRequest.from_event(event)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("unknown", ""),
    ],
)
def test_an_address_of_ipv6_counts_by_its_network(source: str, found: str) -> None:
    assert network(request(source)) == found


def test_an_app_is_told_the_whole_address() -> None:
    assert address(request("2001:db8:1:2:3:4:5:6")) == "2001:db8:1:2:3:4:5:6"
    assert address(request("::ffff:192.0.2.7")) == "192.0.2.7"


def test_a_visitors_own_word_is_not_believed() -> None:
    forged = request("192.0.2.7", X_Forwarded_For="198.51.100.1, 192.0.2.7", Sheen_Edge="guess")
    assert network(forged) == network(forged, PROOF) == "192.0.2.7"
    assert (
        network(request("192.0.2.7", X_Forwarded_For="198.51.100.1, 192.0.2.7", Sheen_Edge=""), "")
        == "192.0.2.7"
    )


def test_behind_cloudfront_it_is_what_cloudfront_says_last() -> None:
    told = request(
        "130.176.0.1", X_Forwarded_For="6.6.6.6, 198.51.100.1, 130.176.0.1", Sheen_Edge="the secret"
    )
    assert network(told, PROOF) == address(told, PROOF) == "198.51.100.1"
    assert (
        network(
            request(
                "130.176.0.1", X_Forwarded_For="2001:db8:9::1, 130.176.0.1", Sheen_Edge="the secret"
            ),
            PROOF,
        )
        == "2001:db8:9::/64"
    )
    assert network(request("130.176.0.1", Sheen_Edge="the secret"), PROOF) == ""


def test_tags_are_the_same_for_the_same_place_only() -> None:
    assert (
        tag(request("2001:db8::1"))
        == tag(request("2001:db8::2"))
        != tag(request("2001:db8:0:1::1"))
    )
    assert tag(request("nowhere")) == ""


def test_a_site_goes_by_the_gateways_own_host_and_not_by_what_a_visitor_claims() -> None:
    claims = {"Host": "evil.example", "X_Forwarded_Host": "evil.example"}
    asked = request("192.0.2.7", **claims, Sheen_Edge="guess")
    assert site_host(asked._replace(gateway_host="Apps.Example.org:443"), PROOF) == (
        "apps.example.org"
    )
    assert site_host(asked, PROOF) == ""
    by_edge = request("130.176.0.1", X_Forwarded_Host="sales.example.org", Sheen_Edge="the secret")
    assert site_host(by_edge._replace(gateway_host="id.example"), PROOF) == "sales.example.org"
    assert site_host(by_edge._replace(gateway_host="id.example")) == "id.example"
