"""An app that counts what it hears and says, and a visitor who checks that nothing was lost,
doubled or reordered.
"""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import aiohttp

from tests.support.conversation import update
from tests.support.relay_client import RelayClient

APP = """
library(shiny)
shinyApp(fluidPage(), function(input, output, session) {
  heard <- 0L
  told <- 0L
  tell <- function(...) {
    told <<- told + 1L
    session$sendCustomMessage("count", list(told = told, heard = heard, ...))
  }
  observeEvent(input$said, {
    heard <<- heard + 1L
    said <- input$said
    tell(number = said$number, text = strrep(said$text, said$times))
  })
  ticks <- 0L
  observe({
    if (ticks < 40L) invalidateLater(4000)
    ticks <<- ticks + 1L
    isolate(tell(tick = ticks))
  })
  observeEvent(input$leave, session$close())
  observeEvent(input$flood, for (number in seq_len(input$flood$count)) {
    session$sendCustomMessage("flood", list(number = number, text = strrep("x", input$flood$size)))
  })
  observeEvent(input$sleep, Sys.sleep(input$sleep))
  observeEvent(input$die, quit("no", 1))
})
"""
"""Echoes each ``said`` with counts of all that it heard and told, and ticks now and then by
itself.
"""

ALPHABET = 'abcdefghij "\\\n\u2028é€😀'
INIT = json.dumps(
    {"method": "init", "data": {".clientdata_singletons": "", ".clientdata_url_search": ""}}
)


class Counter:
    """One visitor of the counting app. ``wrong`` names what broke the count, if anything did."""

    def __init__(self, url: str, random: Random, refresh: float = 6600.0) -> None:
        self.random = random
        self.client = RelayClient(url, random, self._received, refresh)
        self.said: list[tuple[str, int]] = []
        self.echoes = 0
        self.told = 0
        self.ticks = 0
        self.flooded = 0
        self.wrong: str | None = None
        self._news = asyncio.Event()

    async def begin(self, http: aiohttp.ClientSession) -> None:
        """Load the page and start the session."""
        await self.client.start(http)
        self.client.send(INIT)

    def say(self, text: str, times: int = 1) -> None:
        """Say one message more; the app answers it with ``text`` repeated."""
        self.said.append((text, times))
        self.tell(said={"number": len(self.said), "text": text, "times": times})

    def tell(self, **inputs: object) -> None:
        """Set inputs."""
        self.client.send(update(**inputs))

    async def until_echoes(self, count: int) -> None:
        """Wait until so many messages were echoed, or the session has ended."""
        while self.echoes < count and not self.client.ended.is_set() and self.wrong is None:
            self._news.clear()
            news = asyncio.ensure_future(self._news.wait())
            ended = asyncio.ensure_future(self.client.ended.wait())
            await asyncio.wait({news, ended}, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
            ended.cancel()

    async def count(self, messages: int, in_flight: int, pause: float) -> None:
        """Say ``messages`` with up to ``in_flight`` of them unanswered, and be silent for ``pause``
        seconds now and then.
        """
        while len(self.said) < messages and not self.client.ended.is_set() and self.wrong is None:
            self.say(*self._message())
            await self.until_echoes(len(self.said) - in_flight + 1)
            if self.random.random() < 0.02:
                await asyncio.sleep(pause * self.random.random())
        await self.until_echoes(messages)

    def _message(self) -> tuple[str, int]:
        kind = self.random.random()
        if kind < 0.005:
            return "".join(
                self.random.choices(ALPHABET, k=50_000)
            ), 1  # several frames from the browser
        if kind < 0.010:
            return "0123456789" * 100, 200  # several posts to it
        return "".join(self.random.choices(ALPHABET, k=int(300 * self.random.random() ** 3))), 1

    def _received(self, message: str) -> None:
        custom: dict[str, Any] = json.loads(message).get("custom") or {}
        if "flood" in custom:
            self.flooded += 1
            self._expect(custom["flood"]["number"], self.flooded, "flood")
        if (count := custom.get("count")) is None:
            return
        self.told += 1
        self._expect(count["told"], self.told, "message of the app")
        if "tick" in count:
            self.ticks += 1
            self._expect(count["tick"], self.ticks, "tick")
            return
        self.echoes += 1
        self._expect(count["heard"], self.echoes, "count of what the app heard")
        self._expect(count["number"], self.echoes, "echo")
        text, times = self.said[count["number"] - 1]
        if count["text"] != text * times:
            self.wrong = (
                self.wrong or f"echo {self.echoes} has another text: {count['text'][:60]!r}"
            )
        self._news.set()

    def _expect(self, got: int, expected: int, what: str) -> None:
        if got != expected and self.wrong is None:
            self.wrong = f"{what}: {got} where {expected} was next"
            self._news.set()
