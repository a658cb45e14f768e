"""Variables as a shell reads them."""

import shlex
from collections.abc import Mapping


def exports(variables: Mapping[str, str]) -> str:
    """Return ``variables`` as lines for ``eval "$(sheen env)"``.

    >>> exports({"SHEEN_URL": "https://x.example/a b"})
    "export SHEEN_URL='https://x.example/a b'"
    """
    return "\n".join(
        f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())
    )
