"""Where a request comes from, as far as that can be believed: for limits by address. Pure."""

import hashlib
import hmac
import ipaddress

from chalicelib.visits.request import EDGE_HEADER, VisitorRequest

_IPV6_PREFIX = 64
"""What one customer has of IPv6, at least."""
_TAG_DIGITS = 12


def edge_proof(secret: str) -> str:
    """Return what functions know of the secret that CloudFront shows: enough to recognise it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def address(request: VisitorRequest, proof: str = "") -> str:
    """Return the address that a request comes from; empty when it is not known.

    It is the address that connected to API Gateway: the visitor's, or CloudFront's, which shows the secret whose
    :func:`edge_proof` is ``proof``. Then the visitor's is the last but one of ``X-Forwarded-For``: CloudFront adds it
    there, and API Gateway adds CloudFront's own. All else in that header is the visitor's own word.
    """
    said = request.source_ip
    if proof and hmac.compare_digest(edge_proof(request.header(EDGE_HEADER)), proof):
        forwarded = [part.strip() for name, value in request.headers if name == "x-forwarded-for" for part in value.split(",")]
        said = forwarded[-2] if len(forwarded) > 1 else ""
    try:
        found = ipaddress.ip_address(said)
    except ValueError:
        return ""
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def network(request: VisitorRequest, proof: str = "") -> str:
    """Return the :func:`address` that a request comes from, of IPv6 the /64 that it is in."""
    found = address(request, proof)
    return str(ipaddress.ip_network((found, _IPV6_PREFIX), strict=False)) if ":" in found else found


def tag(request: VisitorRequest, proof: str = "") -> str:
    """Return a name for where a request comes from, the same for the same :func:`network`; empty when that is not known."""
    found = network(request, proof)
    return hashlib.sha256(found.encode()).hexdigest()[:_TAG_DIGITS] if found else ""
