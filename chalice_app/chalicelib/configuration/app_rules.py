"""Rules for the values of settings that only apps have. Pure."""

import shlex
from typing import Any

from chalicelib.configuration.rules import Rule, number, text

PROTOCOLS = (
    "websocket",
    "xdr-streaming",
    "xhr-streaming",
    "iframe-eventsource",
    "iframe-htmlfile",
    "xdr-polling",
    "xhr-polling",
    "iframe-xhr-polling",
    "jsonp-polling",
)
"""The transports that ``disable_protocols`` may name."""


def read_protocols(value: Any) -> tuple[str, ...]:
    """Read ``disable_protocols``."""
    names = value.split() if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or any(name not in PROTOCOLS for name in names):
        raise ValueError
    return tuple(dict.fromkeys(names))


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
