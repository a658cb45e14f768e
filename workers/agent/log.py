"""The agent's logger: JSON lines, each with the app and the instance; ``session`` by ``extra``."""

import logging

from aws_lambda_powertools import Logger

from chalicelib.instances.model import InstanceRef

logger = Logger(service="agent", log_record_order=["level", "message", "timestamp"])

_LIBRARIES = ("aiohttp", "asyncio", "botocore", "pynamodb", "websockets")


def identify(ref: InstanceRef, app: str = "") -> None:
    """Put the instance and the app on every line from here on."""
    logger.append_keys(instance=str(ref), app=app or ref.version_id)


def include_libraries() -> None:
    """Log the libraries' warnings in the same form as the agent's own lines."""
    for name in _LIBRARIES:
        library = logging.getLogger(name)
        library.setLevel(logging.WARNING)
        library.handlers = list(logging.getLogger("agent").handlers)
        library.propagate = False
