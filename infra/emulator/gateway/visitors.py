"""How visitors reached the gateway, which functions learn by stage variables.

No client can set these. A request by the one endpoint of all services has none.
"""

import ipaddress

from aiohttp import web

PUBLIC = web.AppKey("public", bool)
"""Whether an application listens on ports for visitors."""


def come_by(request: web.Request) -> bool:
    """Return whether a request came by a port for visitors."""
    return request.app.get(PUBLIC, False)


def stage_variables(request: web.Request) -> dict[str, str] | None:
    """Return the port and the address that a visitor's request came to."""
    here = request.transport.get_extra_info("sockname") if request.transport else None
    if not come_by(request) or not isinstance(here, tuple):
        return None
    address = ipaddress.ip_address(str(here[0]).partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return {"port": str(here[1]), "address": str(mapped or address)}
