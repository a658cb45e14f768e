"""What a Shiny page says to its app, over any wire that carries SockJS frames: robust and multiplex
framing (FACTS S6).
"""

import json
from typing import Any, Protocol

INIT = {
    ".clientdata_output_heard_hidden": False,
    ".clientdata_output_who_hidden": False,
    ".clientdata_pixelratio": 1,
    ".clientdata_url_protocol": "http:",
    ".clientdata_url_hostname": "localhost",
    ".clientdata_url_port": "",
    ".clientdata_url_pathname": "/",
    ".clientdata_url_search": "",
    ".clientdata_url_hash_initial": "",
    ".clientdata_url_hash": "",
    ".clientdata_singletons": "",
}
"""What Shiny's client tells an echo app (:data:`tests.support.apps.ECHO`) of itself."""


def init(**inputs: object) -> str:
    """Shiny's first message."""
    return json.dumps({"method": "init", "data": {**inputs, **INIT}})


def update(**inputs: object) -> str:
    """Shiny's message that inputs have changed."""
    return json.dumps({"method": "update", "data": inputs})


class Wire(Protocol):
    """Carries SockJS frames both ways."""

    async def send(self, frame: str, /) -> None: ...

    async def receive(self) -> str:
        """The next frame of the server."""
        ...


class Conversation:
    """One Shiny session of an echo app, numbered and multiplexed as Shiny Server's clients do."""

    def __init__(self, wire: Wire, acknowledge_bytes: int = 65536) -> None:
        """``acknowledge_bytes``: after so much; the wire's life is too short here for an
        acknowledgement by time.
        """
        self.wire = wire
        self._acknowledge_bytes = acknowledge_bytes
        self._unacknowledged = 0
        self._sent = 0
        self.expected = 0
        """The number of the next message from the server."""
        self._values: dict[str, Any] = {}
        self.responses: dict[int, Any] = {}
        """What the app has answered to calls, by their tags."""
        self.ended: tuple[int, str] | None = None
        """Code and reason, once the server has ended the session."""

    async def begin(self) -> None:
        """Wait for the server's greeting, start the session, and wait for its first output."""
        assert (greeting := await self.wire.receive()) == "o", f"no greeting but {greeting}"
        await self.tell("0|o|")
        await self.tell("0|m|" + init(said=""))
        await self.until("who", bool)

    async def tell(self, message: str) -> None:
        """Send one multiplexed message."""
        await self.wire.send(json.dumps([f"{self._sent:X}#{message}"]))
        self._sent += 1

    async def say(self, text: str) -> str:
        """Type ``text`` and wait for the app's answer: a round trip."""
        await self.tell("0|m|" + update(said=text))
        answer: str = await self.until("heard", lambda value: value == f"heard: {text}")
        return answer

    async def call(self, method: str, *arguments: object) -> Any:
        """Call a method of the app's, and wait for its answer."""
        tag = self._sent
        await self.tell("0|m|" + json.dumps({"method": method, "args": arguments, "tag": tag}))
        while tag not in self.responses:
            await self.read()
        return self.responses[tag]

    async def until(self, output: str, done: Any) -> Any:
        """Read until ``output`` has a value that satisfies ``done``, and return it."""
        while not (output in self._values and done(self._values[output])):
            await self.read()
        return self._values[output]

    async def read(self) -> None:
        """Take in one frame."""
        frame = await self.wire.receive()
        if frame[:1] == "c":
            code, reason = json.loads(frame[1:])
            self.ended = (code, reason)
            raise ConnectionError(f"the session ended: {frame}")
        assert frame[:1] != "{", (
            f"a message did not reach the agent: {frame}"
        )  # so says API Gateway
        if frame[:1] == "a":
            for message in json.loads(frame[1:]):
                self._message(message)
            self._unacknowledged += len(frame)
            if self._unacknowledged >= self._acknowledge_bytes:
                self._unacknowledged = 0
                await self.wire.send(json.dumps([f"ACK {self.expected:X}"]))

    def _message(self, message: str) -> None:
        number, mark, payload = message.partition("#")
        if not mark or not all(digit in "0123456789ABCDEF" for digit in number):
            return
        assert int(number, 16) == self.expected, f"message {number} where {self.expected:X} is next"
        self.expected += 1
        if payload.startswith("0|m|"):
            told = json.loads(payload.removeprefix("0|m|"))
            self._values.update(told.get("values") or {})
            if response := told.get("response"):
                self.responses[response["tag"]] = response.get("value")
