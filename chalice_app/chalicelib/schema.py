"""All of Sheen's tables, for what has to do with each of them."""

from chalicelib.apps.model import App, Version
from chalicelib.bundles.model import Bundle
from chalicelib.ceilings.model import Ceiling
from chalicelib.connections.model import Connection
from chalicelib.instances.model import Instance
from chalicelib.queue.model import QueuePlace
from chalicelib.snapshots import Snapshot
from chalicelib.syncs.model import Sync, SyncRequest, SyncRun
from chalicelib.tables import Table
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
