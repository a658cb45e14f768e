"""The rows of instances, and the references by which other parts name one."""

from typing import NamedTuple, Self

from pynamodb.attributes import JSONAttribute, MapAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.aws.tables import Table


class VersionId(NamedTuple):
    """Which version of which app."""

    app_id: str
    version: str

    def __str__(self) -> str:
        return f"{self.app_id}.{self.version}"

    @classmethod
    def parse(cls, text: str) -> Self:
        app_id, version = text.split(".", 1)
        return cls(app_id, version)


class InstanceRef(NamedTuple):
    """Names one instance for good: its row, and which of the instances that were in that row it is.

    As text, ``<app_id>.<version>/<slot>/<instance_id>``, it goes into tickets, connection rows and the task's environment.
    """

    version_id: str
    slot: int
    instance_id: str

    def __str__(self) -> str:
        return f"{self.version_id}/{self.slot}/{self.instance_id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raise :class:`ValueError` when ``text`` is not a reference."""
        version_id, slot, instance_id = text.split("/")
        return cls(version_id, int(slot), instance_id)


class Instance(Table):
    """A place for one instance of a version. Rows are few and used again: claiming one is one conditional write, so two visitors who
    arrive at once start one instance."""

    short_name = "instances"

    class Meta:
        table_name = "instances"

    version_id = UnicodeAttribute(hash_key=True)
    slot = NumberAttribute(range_key=True)
    """0 … the app's maximum of instances - 1."""
    instance_id = UnicodeAttribute()
    """Which instance is in the slot now: 16 hex digits, new at each claim."""
    location = UnicodeAttribute()
    state = UnicodeAttribute()
    """One of :class:`chalicelib.instances.state.InstanceState`."""
    phase = UnicodeAttribute()
    """How far a start is: ``machine``, ``R``, ``app``; shown on the waiting page."""
    secret = UnicodeAttribute()
    """64 hex digits; keys of the agent and of tickets are derived from it, see :mod:`chalicelib.instances.secret`."""
    seats: MapAttribute[str, float] = MapAttribute(default=dict)  # type: ignore[no-untyped-call]
    """Session id → when its lease ends (epoch seconds). Its size is what is taken; renewed and given back by the agent."""
    capacity = NumberAttribute()
    """How many seats there are."""
    queued_until = NumberAttribute(null=True)
    """Until when visitors queue for a seat here (epoch seconds): who comes without a place in the queue takes none."""
    size = UnicodeAttribute()
    """How large its machine is: one of :data:`chalicelib.configuration.app_settings.SIZES`."""
    address = UnicodeAttribute(null=True)
    """``host:port`` of the agent, once READY."""
    worker = UnicodeAttribute(null=True)
    """Id of the R process that serves now; none while there is none (``app_idle_timeout``)."""
    bound_to = UnicodeAttribute(null=True)
    """In a spare's row, once an app has it: the app's :class:`InstanceRef` as text; see :mod:`chalicelib.instances.spares`."""
    was_spare = UnicodeAttribute(null=True)
    """In an app's row, if the instance was a spare: its :class:`InstanceRef` as text."""
    task = UnicodeAttribute(null=True)
    """ARN of the task that it runs in, once READY: the end of another one, of an attempt to start that failed, is nothing to it."""
    token = UnicodeAttribute(null=True)
    """The state machine's task token of now, so that a task's unexpected end can be told to it at once."""
    token_order = NumberAttribute(null=True)
    """Greater for later tokens: an attempt of the state machine that it has given up may still be under way."""
    failure: JSONAttribute = JSONAttribute(null=True)
    """Why it stopped, if it did not mean to: {"error": …, "cause": …}."""
    claimed_at = NumberAttribute()
    ready_at = NumberAttribute(null=True)
    draining_at = NumberAttribute(null=True)
    stopped_at = NumberAttribute(null=True)
    expires_at = NumberAttribute(null=True)
    """TTL of a stopped row (FACTS D1)."""

    @property
    def ref(self) -> InstanceRef:
        return InstanceRef(self.version_id, int(self.slot), self.instance_id)
