"""All of Sheen's tables, for code that has to handle each of them."""

from chalicelib.applying.model import ConfigurationRow
from chalicelib.apps.model import App, LocationRow, Version
from chalicelib.aws.tables import Table
from chalicelib.errands.model import Errand
from chalicelib.identity.model import Attempts, Login, User
from chalicelib.instances.ceilings.model import Ceiling
from chalicelib.instances.model import Instance
from chalicelib.instances.snapshots import Snapshot
from chalicelib.publishing.model import Bundle
from chalicelib.scheduler.queue.model import QueuePlace
from chalicelib.sessions.connections.model import ConnectionRow
from chalicelib.syncs.model import Sync, SyncRequest, SyncRun
from chalicelib.unix_ids.model import UnixId, UnixUser

TABLES: tuple[type[Table], ...] = (
    App,
    LocationRow,
    Version,
    Bundle,
    Instance,
    ConnectionRow,
    QueuePlace,
    Ceiling,
    Snapshot,
    Sync,
    SyncRequest,
    SyncRun,
    UnixId,
    UnixUser,
    Errand,
    User,
    Login,
    Attempts,
    ConfigurationRow,
)
"""The tables, in no particular order."""
