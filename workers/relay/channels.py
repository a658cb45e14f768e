"""A session's channels to R: open channels, partial messages, and what R has not taken yet."""

from __future__ import annotations

from relay import multiplex, sockjs
from relay.chunks import Assembly
from relay.errors import MessageTooBig, ProtocolError, TooMuch
from relay.events import ChannelClosed, ChannelOpened, MessageReceived
from relay.settings import RelaySettings

OVERHEAD = 64
"""Bytes of memory that a short message takes besides its text."""

_MOST = 32


class Channels:
    """Turns the browser's messages, in order, into events for R."""

    def __init__(self, settings: RelaySettings) -> None:
        self.open: set[str] = set()
        self.unread = 0
        self._settings = settings
        self._assemblies: dict[str, Assembly] = {}

    @property
    def reading(self) -> bool:
        """Whether R keeps up, so that the browser may send more."""
        return self.unread < self._settings.high_water

    @property
    def bytes(self) -> int:
        """Bytes that wait here, for R or for the rest of their message."""
        return self.unread + self._assembling

    def read(
        self, payload: str, *, parts: bool
    ) -> ChannelOpened | MessageReceived | ChannelClosed | None:
        """Read one message of the channel layer; ``parts`` says whether it may be a part of one.

        :raises ProtocolError: it makes no sense here.
        :raises MessageTooBig: its parts are together larger than a message may be.
        :raises TooMuch: more than the limit would be waiting for R.
        """
        match multiplex.parse(payload):
            case multiplex.Message(channel, text):
                return self._message(channel, self._assembly(channel).last(text))
            case multiplex.Part(channel, text):
                if not parts:
                    raise ProtocolError("a part of a message, which was not agreed on")
                self._part(channel, text)
            case multiplex.Open(channel, url):
                if channel in self.open or len(self.open) >= _MOST:
                    raise ProtocolError(f"channel {channel} cannot be opened")
                self.open.add(channel)
                self._assemblies[channel] = Assembly(self._settings.max_message)
                return ChannelOpened(channel, url)
            case multiplex.Close(channel, code, reason):
                if channel in self.open:
                    self.drop(channel)
                    return ChannelClosed(channel, code, reason)
        return None

    def consumed(self, size: int) -> None:
        """Note that R has taken messages of this size."""
        self.unread -= size

    def drop(self, channel: str) -> None:
        """Forget a channel that is closed."""
        self.open.discard(channel)
        self._assemblies.pop(channel, None)

    def clear(self) -> None:
        """Forget all channels."""
        self.open.clear()
        self._assemblies.clear()

    @property
    def _assembling(self) -> int:
        return sum(assembly.bytes for assembly in self._assemblies.values())

    def _assembly(self, channel: str) -> Assembly:
        # A message may cross its channel's close on the way: it is assembled and dropped.
        return self._assemblies.get(channel) or Assembly(self._settings.max_message)

    def _part(self, channel: str, text: str) -> None:
        self._assembly(channel).part(text)
        # The limit of one channel holds for all of them together, because parts are acknowledged as
        # they come.
        if len(self._assemblies) > 1 and self._assembling > self._settings.max_message:
            raise MessageTooBig(
                f"messages of more than {self._settings.max_message} bytes in parts, on "
                "several channels"
            )

    def _message(self, channel: str, text: str) -> MessageReceived | None:
        if channel not in self.open:
            return None
        size = sockjs.size(text) + OVERHEAD
        if self.unread + size > self._settings.buffer_limit:
            raise TooMuch(f"{self.unread + size} bytes wait for R")
        self.unread += size
        return MessageReceived(channel, text, size)
