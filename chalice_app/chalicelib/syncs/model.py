"""The rows of syncs, of what is asked of them, and of what became of it."""

from enum import StrEnum

from pynamodb.attributes import BooleanAttribute, JSONAttribute, NumberAttribute, UnicodeAttribute, UnicodeSetAttribute

from chalicelib.aws.tables import Table
from chalicelib.syncs.definition import SyncDefinition


class Way(StrEnum):
    """How files get to EFS. A file has one way at any time, and of each way one run of a sync runs at a time (FACTS E5)."""

    TRANSFER = "transfer"
    """DataSync: everything but what is urgent, and urgent objects that are large."""
    COPY = "copy"
    """A task of ours: urgent objects that are small, within seconds."""


class RunStatus(StrEnum):
    """What became of a run."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    """All but some files, which :attr:`SyncRun.failures` names."""
    FAILED = "failed"


class Sync(Table):
    """One definition."""

    short_name = "syncs"
    kept = True

    class Meta:
        table_name = "syncs"

    name = UnicodeAttribute(hash_key=True)
    settings = JSONAttribute()
    """See :class:`chalicelib.syncs.definition.SyncDefinition`."""
    read_gid = NumberAttribute()
    """Group of the apps that may read the folder, its own (DESIGN rule 5)."""
    write_gid = NumberAttribute()
    """Group of the apps that may add to it."""
    created_at = NumberAttribute()
    updated_at = NumberAttribute()
    due_at = NumberAttribute(null=True)
    """When the schedule's next time is; None: never."""
    transferred_at = NumberAttribute(null=True)
    """Everything that DataSync brings is at least as new as this."""
    copied_at = NumberAttribute(null=True)
    """Everything urgent is at least as new as this."""
    task_arn = UnicodeAttribute(null=True)
    """DataSync's task."""
    task_for = UnicodeAttribute(null=True)
    """What the task was made for; when that changes, a new one is made."""
    folder_ready = BooleanAttribute(default=False)
    """Whether the folder on EFS has been made."""

    def definition(self, own_bucket: str) -> SyncDefinition:
        """Return the definition; raise :class:`chalicelib.syncs.errors.BadSync`."""
        return SyncDefinition.parse(self.name, self.settings, own_bucket)


class SyncRequest(Table):
    """What is asked of a sync and not yet done: requests for the same thing are one row, so that they are one copy.

    The row ``lease/<way>`` says which run runs.
    """

    short_name = "sync_requests"

    class Meta:
        table_name = "sync_requests"

    sync = UnicodeAttribute(hash_key=True)
    request = UnicodeAttribute(range_key=True)
    """``<way>/prefix/<hash>``, ``<way>/key/<hash>`` or ``lease/<way>``."""
    target = UnicodeAttribute(null=True)
    """The prefix or the key, relative to the sync's."""
    size = NumberAttribute(null=True)
    trigger = UnicodeAttribute(null=True)
    asked_at = NumberAttribute()
    stamps = UnicodeSetAttribute(null=True)
    """Who waits for an answer."""
    run_id = UnicodeAttribute(null=True)
    """The run that has taken it; a new request for the same thing takes that away."""


class SyncRun(Table):
    """One run's outcome."""

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
    """``schedule``, ``urgent``, ``asked``, or several with commas between them."""
    started_at = NumberAttribute()
    ended_at = NumberAttribute(null=True)
    message = UnicodeAttribute(default="")
    """What happens now, or what was wrong; a sentence for people."""
    keys = NumberAttribute(default=0)
    """How many single files were asked for."""
    attempt = NumberAttribute(default=0)
    """How often what it does now has failed before."""
    gave_up = UnicodeAttribute(null=True)
    """Why it fails, once that is certain: what it has changed all the same is published before it ends."""
    files_seen = NumberAttribute(default=0)
    bytes_seen = NumberAttribute(default=0)
    files_copied = NumberAttribute(default=0)
    bytes_copied = NumberAttribute(default=0)
    files_skipped = NumberAttribute(default=0)
    files_deleted = NumberAttribute(default=0)
    files_failed = NumberAttribute(default=0)
    failures = JSONAttribute(default=list)
    """The first of them: ``[path, why]``."""
    stamps = UnicodeSetAttribute(null=True)
    """The requests that it answers."""
    execution = UnicodeAttribute(null=True)
    """DataSync's task execution that runs now."""
    token = UnicodeAttribute(null=True)
    """The state machine's token that waits for its end."""
    progress = NumberAttribute(default=0)
    """How far the execution was when it was last looked at; more than before is a sign of life."""
    progress_at = NumberAttribute(null=True)
    """When that was."""
    steps = JSONAttribute(default=list)
    """What was done and needs not be done again when a step is repeated."""
