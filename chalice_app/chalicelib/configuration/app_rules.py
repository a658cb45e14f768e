"""Rules for the values of settings that only apps have. Pure."""

import re
import shlex
from typing import Any

from chalicelib.configuration.rules import Rule, number, text

PROTOCOLS = (
    "websocket",
    "xdr-streaming",
    "xhr-streaming",
    "eventsource",
    "iframe-eventsource",
    "htmlfile",
    "iframe-htmlfile",
    "xdr-polling",
    "xhr-polling",
    "iframe-xhr-polling",
    "jsonp-polling",
)
"""The transports that ``disable_protocols`` may name.

Pages offer neither ``eventsource`` nor ``htmlfile`` outside an iframe, so these switch nothing off.
"""
GROUPS = {
    "polling": tuple(name for name in PROTOCOLS if name.endswith("-polling")),
    "streaming": tuple(
        name for name in PROTOCOLS if name.endswith(("-streaming", "eventsource", "htmlfile"))
    ),
}
"""Names for several transports."""


def read_protocols(value: Any) -> tuple[str, ...]:
    """Read ``disable_protocols``: names of transports, and of groups of them.

    >>> read_protocols("websocket polling")
    ('websocket', 'xdr-polling', 'xhr-polling', 'iframe-xhr-polling', 'jsonp-polling')
    """
    names = value.split() if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or any(
        name not in PROTOCOLS and name not in GROUPS for name in names
    ):
        raise ValueError
    return tuple(dict.fromkeys(one for name in names for one in GROUPS.get(name, (name,))))


_FRAMES = ("allow", "deny", "sameorigin")


def read_frame_options(value: Any) -> str:
    """Read ``frame_options``.

    >>> read_frame_options("ALLOW-FROM https://example.org")
    'allow-from https://example.org'
    """
    if not isinstance(value, str) or len(value) > _LONGEST_URL:
        raise ValueError
    word, _, url = value.partition(" ")
    if not url and word.lower() in _FRAMES:
        return word.lower()
    if word.lower() != "allow-from" or not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+/?", url):
        raise ValueError
    return f"allow-from {url.rstrip('/')}"


HEADER = r"(?!(?i:{})\Z)[A-Za-z0-9-]{{1,100}}".format(
    "|".join(
        (
            "connection",
            "content-.*(?<!security-policy)(?<!policy-report-only)",
            "date",
            "keep-alive",
            "location",
            "proxy-.*",
            "server",
            "set-cookie",
            "sheen-.*",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "x-amz.*",
        )
    )
)
"""Pattern of the headers that ``set_header`` may add; the others describe the answer itself."""
_LONGEST_URL = 300


MOST_HEADERS = 50
"""Headers that ``whitelist_headers`` may name."""
_NEVER_PASSED = re.compile(
    r"(connection|keep-alive|proxy|proxy-.*|te|trailer|transfer-encoding|upgrade"
    r"|content-.*|expect|sec-websocket-.*|sheen-.*|shiny-server-credentials|shiny-shared-secret)"
)


def is_passable(header: str) -> bool:
    """Return whether ``whitelist_headers`` may name a header.

    A name with an underscore may not be named: a worker reads headers as CGI variables, so a
    visitor could forge with it what a proxy says under the name with a hyphen.

    >>> is_passable("X-Role"), is_passable("X_Role"), is_passable("Sheen-Session")
    (True, False, False)
    """
    return bool(re.fullmatch(r"[A-Za-z0-9-]{1,100}", header)) and not _NEVER_PASSED.fullmatch(
        header.lower()
    )


def read_headers(value: Any) -> tuple[str, ...]:
    """Read ``whitelist_headers``: names of headers, in lower case.

    >>> read_headers("X-Role x-role My-Team")
    ('x-role', 'my-team')
    """
    names = value.split() if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or len(names) > MOST_HEADERS:
        raise ValueError
    if not all(isinstance(name, str) and is_passable(name) for name in names):
        raise ValueError
    return tuple(dict.fromkeys(name.lower() for name in names))


def read_utilization(value: Any) -> tuple[int, float, int]:
    """Read ``utilization_scheduler``."""
    connections, load, processes = value.split() if isinstance(value, str) else value
    return (
        int(number(connections, 1, 1000, int)),
        float(number(load, 0, 1, float)),
        int(number(processes, 1, 100, int)),
    )


LONGEST_COMMAND = 1000
"""Characters of ``exec_supervisor``."""


def read_command(value: Any) -> tuple[str, ...]:
    """Read ``exec_supervisor``: a program and its arguments, or nothing."""
    words = shlex.split(value) if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or any(
        not isinstance(word, str) or not word.isprintable() for word in words
    ):
        raise ValueError
    if (words and not words[0]) or sum(map(len, words)) > LONGEST_COMMAND:
        raise ValueError
    return tuple(words)


def program(example: str) -> Rule:
    """Return the rule for a program of the image, given by its path."""
    return text(r"(/[!-~]{1,1000})?", "an absolute path without blanks", example)


_LOADER = (
    "GCONV_PATH",
    "GETCONF_DIR",
    "GLIBC_TUNABLES",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "LOCPATH",
    "NIS_PATH",
    "NLSPATH",
    "RESOLV_HOST_CONF",
    "RES_OPTIONS",
    "TZDIR",
)
"""Together with LD_* and MALLOC_*: variables that glibc ignores in a privileged program.

The program that starts R still has privileges.
"""
_OURS = ("HOME", "LOGNAME", "PATH", "TMPDIR", "USER", "WORKER_ID")
"""Variables that Sheen sets for R."""

VARIABLE = rf"(?!SHEEN_|AWS_|SHINY_|LD_|MALLOC_|(?:{'|'.join(_LOADER + _OURS)})\Z)[A-Za-z_][A-Za-z0-9_]{{0,127}}"  # noqa: E501
"""Pattern of the variables that an author may set in R's environment."""
