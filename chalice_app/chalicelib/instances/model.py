"""The rows of instances, and the references that name one instance."""

from typing import NamedTuple, Self

from pynamodb.attributes import JSONAttribute, MapAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.aws.tables import Table


class VersionId(NamedTuple):
    """An app's id and the name of one of its versions."""

    app_id: str
    version: str

    def __str__(self) -> str:
        return f"{self.app_id}.{self.version}"

    @classmethod
    def parse(cls, text: str) -> Self:
        app_id, version = text.split(".", 1)
        return cls(app_id, version)


class InstanceRef(NamedTuple):
    """A permanent name of one instance: its row, and which of the row's successive instances it is.

    As text, ``<app_id>.<version>/<slot>/<instance_id>``, it goes into tickets, connection rows and
    the task's environment.
    """

    version_id: str
    slot: int
    instance_id: str

    def __str__(self) -> str:
        return f"{self.version_id}/{self.slot}/{self.instance_id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a reference; raise :class:`ValueError` if ``text`` is not one."""
        version_id, slot, instance_id = text.split("/")
        return cls(version_id, int(slot), instance_id)


class Instance(Table):
    """A slot for one instance of a version.

    A version has few rows, and each is used again. Claiming a row is one conditional write, so two
    visitors who arrive at once start one instance.
    """

    short_name = "instances"

    class Meta:
        table_name = "instances"

    version_id = UnicodeAttribute(hash_key=True)
    slot = NumberAttribute(range_key=True)
    """From 0 to the app's maximum of instances - 1."""
    instance_id = UnicodeAttribute()
    """The instance that is in the slot now: 16 hex digits, new at each claim."""
    app = UnicodeAttribute(attr_name="location")
    """The name of its app. The stored name is that of earlier releases."""
    state = UnicodeAttribute()
    """One of :class:`chalicelib.instances.state.InstanceState`."""
    phase = UnicodeAttribute()
    """How far a start is, one of :class:`chalicelib.instances.state.Phase`.

    The waiting page shows it.
    """
    secret = UnicodeAttribute()
    """64 hex digits. The agent's key and the tickets' key are derived from it.

    See :mod:`chalicelib.instances.secret`.
    """
    seats: MapAttribute[str, float] = MapAttribute(default=dict)  # type: ignore[no-untyped-call]
    """Session id → end of its lease (epoch seconds); its size is the number of taken seats.

    The agent renews leases and gives seats back.
    """
    capacity = NumberAttribute()
    """The number of seats."""
    queued_until = NumberAttribute(null=True)
    """Until when visitors queue for a seat here (epoch seconds).

    Until then, a visitor without a place in the queue takes no seat.
    """
    size = UnicodeAttribute()
    """The size of its machine: one of :data:`chalicelib.configuration.app_settings.SIZES`."""
    above = UnicodeAttribute(default="")
    """What a configuration says above the app: :attr:`chalicelib.configuration.above.Above.text`.

    The agent resolves the app's settings with it.
    """
    above_number = NumberAttribute(default=0)
    """The number of the change that brought it."""
    app_file = UnicodeAttribute(default="")
    """Of an app in a folder: the text of its ``.shiny_app.conf``, if that counts."""
    address = UnicodeAttribute(null=True)
    """``host:port`` of the agent, set once the instance is READY."""
    worker = UnicodeAttribute(null=True)
    """Id of the R process that serves now; unset while there is none (``app_idle_timeout``)."""
    bound_to = UnicodeAttribute(null=True)
    """In a spare's row, once an app has it: the app's :class:`InstanceRef` as text.

    See :mod:`chalicelib.instances.spares`.
    """
    was_spare = UnicodeAttribute(null=True)
    """In an app's row, if the instance was a spare: the spare's :class:`InstanceRef` as text."""
    task = UnicodeAttribute(null=True)
    """ARN of the task that it runs in, set once the instance is READY.

    The end of another task, which a failed attempt to start left behind, does not affect it.
    """
    token = UnicodeAttribute(null=True)
    """The state machine's current task token. It lets an unexpected end be reported at once."""
    token_order = NumberAttribute(null=True)
    """Greater for later tokens.

    An attempt that the state machine has given up may still be under way with an earlier token.
    """
    failure: JSONAttribute = JSONAttribute(null=True)
    """Why it stopped, if it stopped because of a failure: {"error": …, "cause": …}."""
    claimed_at = NumberAttribute()
    ready_at = NumberAttribute(null=True)
    draining_at = NumberAttribute(null=True)
    stopped_at = NumberAttribute(null=True)
    expires_at = NumberAttribute(null=True)
    """TTL of a stopped row (FACTS D1)."""

    @property
    def ref(self) -> InstanceRef:
        return InstanceRef(self.version_id, int(self.slot), self.instance_id)
