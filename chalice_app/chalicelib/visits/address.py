"""Where a request comes from and which host it is for, as far as that can be trusted. Pure."""

import hashlib
import hmac
import ipaddress

from chalicelib.apps.sites import host_of
from chalicelib.visits.request import EDGE_HEADER, VisitorRequest

_IPV6_PREFIX = 64
"""Bits of the smallest IPv6 network that one customer gets."""
_TAG_DIGITS = 12


def edge_proof(secret: str) -> str:
    """Return what functions know of the secret that CloudFront sends: enough to recognise it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def address(request: VisitorRequest, proof: str = "") -> str:
    """Return the address that a request comes from; empty if it is not known.

    If the request carries the secret whose :func:`edge_proof` is ``proof``, CloudFront connected to
    API Gateway. The visitor's address is then the last but one in ``X-Forwarded-For``: CloudFront
    adds it there, and API Gateway adds CloudFront's own. The rest of that header is a claim of the
    visitor. Otherwise the address that connected to API Gateway is the visitor's.
    """
    said = request.source_ip
    if _is_by_edge(request, proof):
        forwarded = [
            part.strip()
            for name, value in request.headers
            if name == "x-forwarded-for"
            for part in value.split(",")
        ]
        said = forwarded[-2] if len(forwarded) > 1 else ""
    try:
        found = ipaddress.ip_address(said)
    except ValueError:
        return ""
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def site_host(request: VisitorRequest, proof: str = "") -> str:
    """Return the host whose site a request is for, as a site's name; empty if it can have none.

    That is the host of API Gateway's domain. If CloudFront connected to the gateway (see
    :func:`address`), it is the host that CloudFront says the visitor requested.
    """
    by_edge = _is_by_edge(request, proof)
    return host_of(request.header("x-forwarded-host") if by_edge else request.gateway_host)


def _is_by_edge(request: VisitorRequest, proof: str) -> bool:
    return bool(proof) and hmac.compare_digest(edge_proof(request.header(EDGE_HEADER)), proof)


def network(request: VisitorRequest, proof: str = "") -> str:
    """Return the :func:`address` that a request comes from, or its /64 network if it is IPv6."""
    found = address(request, proof)
    return str(ipaddress.ip_network((found, _IPV6_PREFIX), strict=False)) if ":" in found else found


def tag(request: VisitorRequest, proof: str = "") -> str:
    """Return a short hash of a request's :func:`network`; empty if the network is not known."""
    found = network(request, proof)
    return hashlib.sha256(found.encode()).hexdigest()[:_TAG_DIGITS] if found else ""
