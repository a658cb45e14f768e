"""All of Sheen's tables, for what has to do with each of them."""

from chalicelib.apps.model import App, Version
from chalicelib.publishing.model import Bundle
from chalicelib.instances.ceilings.model import Ceiling
from chalicelib.sessions.connections.model import Connection
from chalicelib.instances.model import Instance
from chalicelib.scheduler.queue.model import QueuePlace
from chalicelib.instances.snapshots import Snapshot
from chalicelib.syncs.model import Sync, SyncRequest, SyncRun
from chalicelib.aws.tables import Table
from chalicelib.unix_ids.model import UnixId

TABLES: tuple[type[Table], ...] = (
    App,
    Version,
    Bundle,
    Instance,
    Connection,
    QueuePlace,
    Ceiling,
    Snapshot,
    Sync,
    SyncRequest,
    SyncRun,
    UnixId,
)
"""In no order that matters."""
