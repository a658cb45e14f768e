"""The process of a Lambda environment: ``python -I -S bootstrap.py``.

Only the standard library can be imported at first. This program adds the function's code, its
layers and AWS's runtime client to ``sys.path``, and nothing else, so that nothing outside the
package can be imported. It refuses the connections that the function's network would not allow. A
function in the VPC reaches the Runtime API, the front and tasks. One outside reaches everything but
tasks (FACTS E6b). A refused connection looks like a network that does not answer.
"""

import errno
import json
import os
import sys
from typing import Any

TASK_NETWORK = "127.77."


def network_of(reachable: set[tuple[str, int]], in_vpc: bool) -> Any:
    """Return an audit hook that refuses connections.

    ``reachable`` holds the addresses that both kinds of function reach.
    """

    def refuse(address: object) -> None:
        sys.stderr.write(
            f"network: {'VPC function' if in_vpc else 'function outside the VPC'} cannot "
            f"reach {address}\n"
        )
        sys.stderr.flush()
        raise OSError(errno.ENETUNREACH, f"Network is unreachable: {address}")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ("socket.connect", "socket.sendto"):
            return
        address = arguments[1]
        if not isinstance(address, tuple):
            return  # a unix socket
        host, port = str(address[0]), address[1]
        if (host, port) in reachable:
            return
        if host.removeprefix("::ffff:").startswith(TASK_NETWORK) != in_vpc:
            refuse(f"{host}:{port}")

    return hook


def main() -> None:
    """Become the function."""
    configuration = json.loads(os.environ.pop("_EMULATOR_BOOTSTRAP"))
    sys.path[:0] = configuration["path"]
    sys.dont_write_bytecode = True
    host, _, port = configuration["front"].rpartition(":")
    api, _, prefix = os.environ["AWS_LAMBDA_RUNTIME_API"].partition("/")
    api_host, _, api_port = api.partition(":")
    reachable = {(host, int(port)), (api_host, int(api_port))}

    from awslambdaric import bootstrap
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

    class BootstrapClient(LambdaRuntimeClient):  # type: ignore[misc]
        """A client that accepts an address with a path for init errors.

        The C part of AWS's client takes such an address. Its Python part, which reports init
        errors, does not.
        """

        def call_rapid(self, http_method: str, endpoint: str, *args: Any, **kwargs: Any) -> None:
            super().call_rapid(http_method, f"/{prefix}{endpoint}", *args, **kwargs)

    client = BootstrapClient(api)
    sys.addaudithook(network_of(reachable, configuration["in_vpc"]))
    bootstrap.run(os.environ["_HANDLER"], client)


if __name__ == "__main__":
    main()
