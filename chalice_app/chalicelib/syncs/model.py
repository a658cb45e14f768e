"""The rows of syncs, of the requests for them, and of their runs."""

from enum import StrEnum

from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)

from chalicelib.aws.tables import Table
from chalicelib.syncs.definition import SyncDefinition


class Way(StrEnum):
    """How files get to EFS.

    A file has one way at any time. Of each way, one run of a sync runs at a time (FACTS E5).
    """

    TRANSFER = "transfer"
    """DataSync: everything that is not urgent, and large urgent objects."""
    COPY = "copy"
    """One of our own tasks: small urgent objects, within seconds."""


class RunStatus(StrEnum):
    """The status of a run."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    """Some files failed; :attr:`SyncRun.failures` names the first of them."""
    FAILED = "failed"


class Sync(Table):
    """The definition of one sync."""

    short_name = "syncs"
    kept = True

    class Meta:
        table_name = "syncs"

    name = UnicodeAttribute(hash_key=True)
    settings = JSONAttribute()
    """See :class:`chalicelib.syncs.definition.SyncDefinition`."""
    read_gid = NumberAttribute()
    """Group of the apps that may read the folder; it belongs to this sync only (DESIGN rule 5)."""
    write_gid = NumberAttribute()
    """Group of the apps that may add to the folder."""
    created_at = NumberAttribute()
    updated_at = NumberAttribute()
    due_at = NumberAttribute(null=True)
    """The next time of the schedule; None: never."""
    transferred_at = NumberAttribute(null=True)
    """Everything that DataSync copies is at least as new as this."""
    copied_at = NumberAttribute(null=True)
    """Everything urgent is at least as new as this."""
    task_arn = UnicodeAttribute(null=True)
    """ARN of the DataSync task."""
    task_for = UnicodeAttribute(null=True)
    """What the task was made for; if that changes, a new task is made."""
    folder_ready = BooleanAttribute(default=False)
    """Whether the folder on EFS has been made."""

    def definition(self, own_bucket: str) -> SyncDefinition:
        """Return the definition; raise :class:`chalicelib.syncs.errors.BadSync`."""
        return SyncDefinition.parse(self.name, self.settings, own_bucket)


class SyncRequest(Table):
    """A request for a sync that is not yet done.

    Requests for the same thing share a row, so that they lead to one copy. The row
    ``lease/<way>`` names the run that runs now.
    """

    short_name = "sync_requests"

    class Meta:
        table_name = "sync_requests"

    sync = UnicodeAttribute(hash_key=True)
    request = UnicodeAttribute(range_key=True)
    """``<way>/prefix/<hash>``, ``<way>/key/<hash>`` or ``lease/<way>``."""
    target = UnicodeAttribute(null=True)
    """The prefix or key, relative to the sync's prefix."""
    size = NumberAttribute(null=True)
    trigger = UnicodeAttribute(null=True)
    asked_at = NumberAttribute()
    stamps = UnicodeSetAttribute(null=True)
    """Stamps of the callers that wait for an answer."""
    run_id = UnicodeAttribute(null=True)
    """The run that has taken the request; a new request for the same thing clears it."""


class SyncRun(Table):
    """One run and its outcome."""

    short_name = "sync_runs"
    kept = True

    class Meta:
        table_name = "sync_runs"

    sync = UnicodeAttribute(hash_key=True)
    run_id = UnicodeAttribute(range_key=True)
    """Sorts by time: ``20261120T170000Z-3f9a-copy``."""
    way = UnicodeAttribute()
    status = UnicodeAttribute()
    trigger = UnicodeAttribute(default="")
    """``schedule``, ``urgent`` or ``asked``, or several of these separated by commas."""
    started_at = NumberAttribute()
    ended_at = NumberAttribute(null=True)
    message = UnicodeAttribute(default="")
    """What happens now, or what was wrong: a sentence for people."""
    keys = NumberAttribute(default=0)
    """How many single files were requested."""
    attempt = NumberAttribute(default=0)
    """How often the current step has failed."""
    gave_up = UnicodeAttribute(null=True)
    """Why the run fails, once that is certain. It still publishes its changes before it ends."""
    files_seen = NumberAttribute(default=0)
    bytes_seen = NumberAttribute(default=0)
    files_copied = NumberAttribute(default=0)
    bytes_copied = NumberAttribute(default=0)
    files_skipped = NumberAttribute(default=0)
    files_deleted = NumberAttribute(default=0)
    files_failed = NumberAttribute(default=0)
    failures = JSONAttribute(default=list)
    """The first failures, each ``[path, why]``."""
    stamps = UnicodeSetAttribute(null=True)
    """The stamps of the requests that this run answers."""
    execution = UnicodeAttribute(null=True)
    """ARN of the DataSync execution that runs now."""
    token = UnicodeAttribute(null=True)
    """Task token of the state machine that waits for the end of the execution."""
    progress = NumberAttribute(default=0)
    """The execution's progress when last checked; a larger number is a sign of life."""
    progress_at = NumberAttribute(null=True)
    """When :attr:`progress` last changed."""
    steps = JSONAttribute(default=list)
    """Steps that are done; they are not done again when a step is repeated."""
