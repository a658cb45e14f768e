"""Ports on which visitors reach the gateway, beside the one endpoint of all services."""

import contextlib
import socket
import ssl
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from infra.emulator.errors import CannotStart

EVERY_ADDRESS = "*"
_VERSIONS = {
    "tlsv1": ssl.TLSVersion.TLSv1,
    "tlsv11": ssl.TLSVersion.TLSv1_1,
    "tlsv12": ssl.TLSVersion.TLSv1_2,
}


class Tls(NamedTuple):
    """A certificate, its key, and the oldest version of TLS that is spoken."""

    key: Path
    certificate: Path
    minimum: str = "tlsv12"
    """``tlsv1``, ``tlsv11`` or ``tlsv12``."""

    def context(self) -> ssl.SSLContext:
        """Return the settings of connections; raise :class:`CannotStart`."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with warnings.catch_warnings():
            # Python warns of old versions, which whoever names them knows.
            warnings.simplefilter("ignore", DeprecationWarning)
            made.minimum_version = _VERSIONS[self.minimum]
        try:
            made.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise CannotStart(
                f"certificate {self.certificate} with the key {self.key} cannot be used: "
                f"{error.strerror or error}"
            ) from None
        return made


class EndpointListener(NamedTuple):
    """One port, on one address or on all."""

    port: int
    address: str = EVERY_ADDRESS
    tls: Tls | None = None

    @property
    def url(self) -> str:
        """How people reach it from this machine."""
        host = {EVERY_ADDRESS: "localhost", "::": "localhost", "0.0.0.0": "localhost"}.get(  # noqa: S104
            self.address, f"[{self.address}]" if ":" in self.address else self.address
        )
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


class Listening:
    """The open ports."""

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner
        self._sites: dict[EndpointListener, web.BaseSite] = {}

    async def become(self, wanted: Iterable[EndpointListener]) -> None:
        """Listen on these ports and no others; open connections go on.

        Raise :class:`CannotStart` if one is not possible; then everything stays as it was.
        """
        new = tuple(dict.fromkeys(wanted))
        contexts = {each: each.tls.context() for each in new if each.tls is not None}
        opened: dict[EndpointListener, socket.socket] = {}
        # A certificate may have changed under its name, so what speaks TLS listens anew.
        kept = {each for each in new if each in self._sites and each.tls is None}
        free = {(each.port, each.address) for each in self._sites if each not in kept}
        try:
            for each in new:
                if each not in kept and (each.port, each.address) not in free:
                    opened[each] = _open(each)
        except CannotStart:
            for one in opened.values():
                one.close()
            raise
        for each in [each for each in self._sites if each not in kept]:
            await self._sites.pop(each).stop()
        for each in new:
            if each not in kept:
                site = web.SockSite(
                    self._runner,
                    opened[each] if each in opened else _open(each),
                    ssl_context=contexts.get(each),
                )
                await site.start()
                self._sites[each] = site


def _open(listener: EndpointListener) -> socket.socket:
    address = listener.address
    families = (
        [(socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")]  # noqa: S104
        if address in (EVERY_ADDRESS, "::")
        else [(socket.AF_INET6 if ":" in address else socket.AF_INET, address)]
    )
    error: OSError | None = None
    for family, at in families:
        try:
            made = socket.socket(family, socket.SOCK_STREAM)
        except OSError as failed:  # a machine without IPv6
            error = failed
            continue
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                with contextlib.suppress(OSError):
                    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if at == "::" else 1)
            made.bind((at, listener.port))
            made.listen(1024)
        except OSError as failed:
            made.close()
            error = failed
            continue
        return made
    assert error is not None
    raise CannotStart(
        f"cannot listen on port {listener.port} of {address}: {error.strerror or error}"
    )
