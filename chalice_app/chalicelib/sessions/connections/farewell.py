"""Tell the visitors of an instance that it has ended.

This runs outside the VPC, because ``@connections`` cannot be reached from inside it
(FACTS E6b, W10).
"""

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
    """Send SockJS's close frame with ``why`` to the instance's connections, then cut them.

    Their rows are deleted. Return how many connections there were.
    """
    gateway = clients.client("apigatewaymanagementapi", connections_url)
    frame = f"c{json.dumps([code, why], separators=(',', ':'))}".encode()
    connections = store.of_instance(ref)
    for connection_id in connections:
        try:
            gateway.post_to_connection(ConnectionId=connection_id, Data=frame)
            gateway.delete_connection(ConnectionId=connection_id)
        except ClientError as error:
            # A connection that is gone is fine. If the call was throttled, the client notices by
            # itself that nobody answers (FACTS W7).
            telemetry.logger.info(
                "not told", extra={"connection": connection_id, "error": str(error)}
            )
        with contextlib.suppress(ClientError):
            store.remove(connection_id)
    return len(connections)
