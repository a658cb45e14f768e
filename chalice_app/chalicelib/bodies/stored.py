"""Choose the headers of R's answer that the answer keeps when it comes from S3. Pure."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

_ATTACHMENT = re.compile(r"\s*attachment\s*\Z", re.IGNORECASE)
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`|~")
"""The characters of attr-char (RFC 8187)."""


class ObjectHeaders(NamedTuple):
    """The headers with which an object is stored and sent; an empty one is left out."""

    content_type: str
    disposition: str
    encoding: str
    language: str
    cache_control: str

    def parameters(self) -> dict[str, str]:
        """Return the headers under the names of S3's API."""
        named = {
            "ContentType": self.content_type or "application/octet-stream",
            "ContentDisposition": self.disposition,
            "ContentEncoding": self.encoding,
            "ContentLanguage": self.language,
            "CacheControl": self.cache_control,
        }
        return {name: value for name, value in named.items() if value}


def stored(headers: Mapping[str, str], path: str) -> ObjectHeaders:
    """Return the headers to keep of R's ``headers`` for a request of ``path``.

    ``headers`` ignores case in look-ups, and ``path`` is percent-encoded. If the headers give no
    name, a browser names a download after its URL. S3's URL has another name, so the name is put
    into the header.
    """
    disposition = headers.get("content-disposition", "")
    if _ATTACHMENT.match(disposition):
        disposition = attachment(path)
    encoding = headers.get("content-encoding", "")
    return ObjectHeaders(
        content_type=_ascii(headers.get("content-type", "")),
        disposition=_ascii(disposition),
        encoding="" if encoding.strip().lower() == "identity" else _ascii(encoding),
        language=_ascii(headers.get("content-language", "")),
        cache_control="private, no-store"
        if "no-store" in headers.get("cache-control", "").lower()
        else "private, no-cache",
    )


def attachment(path: str) -> str:
    """Return the ``Content-Disposition`` of a download that is named after its path.

    >>> attachment("/session/1/download/x/r%C3%A9sum%C3%A9%20a.txt")
    "attachment; filename*=UTF-8''r%C3%A9sum%C3%A9%20a.txt"
    """
    name = unquote_to_bytes(path.rpartition("/")[2])
    if not name:
        return "attachment"
    return "attachment; filename*=UTF-8''" + "".join(
        chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in name
    )


def _ascii(value: str) -> str:
    """Return the characters of ``value`` that have only one form on the wire.

    S3 signs headers as they are.
    """
    return "".join(character for character in value if " " <= character <= "~")
