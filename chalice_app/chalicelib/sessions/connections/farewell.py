"""Tells the visitors of an instance that ended under them. Runs outside the VPC: ``@connections`` is not reachable
from inside it (FACTS E6b, W10)."""

import contextlib
import json

from botocore.exceptions import ClientError

from chalicelib import telemetry
from chalicelib.aws import clients
from chalicelib.instances.model import InstanceRef
from chalicelib.sessions.connections import store

APP_EXITED = 4503
"""Close code: the app's process ended (FACTS S7)."""


def tell_all(ref: InstanceRef, connections_url: str, why: str, code: int = APP_EXITED) -> int:
    """Send SockJS's close frame with ``why`` to every connection of the instance, cut it and forget it; return how many there were."""
    gateway = clients.client("apigatewaymanagementapi", connections_url)
    frame = f"c{json.dumps([code, why], separators=(',', ':'))}".encode()
    connections = store.of_instance(ref)
    for connection_id in connections:
        try:
            gateway.post_to_connection(ConnectionId=connection_id, Data=frame)
            gateway.delete_connection(ConnectionId=connection_id)
        except ClientError as error:
            # Gone is what it should be; a throttled one notices by itself that nobody is there (FACTS W7).
            telemetry.logger.info("not told", extra={"connection": connection_id, "error": str(error)})
        with contextlib.suppress(ClientError):
            store.remove(connection_id)
    return len(connections)
