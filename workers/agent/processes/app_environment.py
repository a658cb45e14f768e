"""The variables that an app's settings add to R's environment.

They are the app's own variables, its secrets, and the places of its data.
"""

import asyncio
from pathlib import Path

from agent.log import logger
from agent.processes import app_folders, secrets
from agent.record import InstanceRecord
from chalicelib import layout
from chalicelib.syncs import access, folders, store
from chalicelib.syncs.errors import BadSync, NoSuchSync

APP_DATA = "SHEEN_APP_DATA"
"""Names the app's permanent folder on the file system that its instances share."""
_SYNC = "SHEEN_SYNC_"


async def of_app(
    record: InstanceRecord, efs: Path, unix_id: int | None, secret_prefix: str
) -> dict[str, str]:
    """Return these variables.

    ``unix_id`` is the app's user, if it has one.

    Raise :class:`agent.failure.AppStartFailed` if a secret is missing.
    """
    values = await secrets.resolve(record.settings.secrets, secret_prefix, record.app)
    variables = {**record.settings.environment, **values}
    data = await asyncio.to_thread(app_folders.make, efs, layout.DATA, record.ref, unix_id)
    if data is not None:
        variables[APP_DATA] = str(data)
    for name in record.settings.data:
        variables[sync_variable(name)] = str(layout.link(efs, name))
    return variables


async def groups_of_app(record: InstanceRecord, bucket: str) -> tuple[int, ...]:
    """Return the groups with which the app's R may enter its synced folders.

    These are the folders that the app's ``data`` setting names, and no others. ``bucket`` is the
    deployment's own.
    """
    return await asyncio.to_thread(_groups, record, bucket) if record.settings.data else ()


def _groups(record: InstanceRecord, bucket: str) -> tuple[int, ...]:
    found: list[int] = []
    for number, (name, mode) in enumerate(record.settings.data.items()):
        if number == folders.MOST_SYNCS:
            logger.warning(
                f"the app's setting data names more than {folders.MOST_SYNCS} syncs; it "
                f"sees the first {number}"
            )
            break
        try:
            row = store.find(name)
            definition = row.definition(bucket)
        except (NoSuchSync, BadSync) as error:
            logger.warning(f"the app's setting data names {name}: {error}")
            continue
        if not definition.lets_in(record.app):
            logger.warning(
                f"the app's setting data names {name}, whose setting apps does not name "
                f"{record.app}"
            )
            continue
        if mode == access.WRITE and definition.publish:
            logger.warning(
                f"{access.conflict(name, definition.publish, record.app)}; the app may only read it"
            )
            mode = "read"
        found += folders.groups(mode, int(row.read_gid), int(row.write_gid))
    return tuple(dict.fromkeys(found))


def sync_variable(name: str) -> str:
    """Return the name of the variable that holds a synced folder's path.

    >>> sync_variable("sales-2026")
    'SHEEN_SYNC_SALES_2026'
    """
    return _SYNC + name.upper().replace("-", "_")
