"""handlebars.js, which templates are compared with."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

CLIENT = Path(__file__).parents[3] / "client"

# Each line of input is [template, values]; each line of output {"text": …} or {"error": …}.
_PEER = """
const Handlebars = require("handlebars");
const lines = require("node:readline").createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const [template, values] = JSON.parse(line);
  let answer;
  try { answer = { text: Handlebars.compile(template)(values) }; }
  catch (error) { answer = { error: String(error) }; }
  process.stdout.write(JSON.stringify(answer) + "\\n");
});
"""


class Peer:
    """handlebars.js in a Node process."""

    def __init__(self) -> None:
        self._node = subprocess.Popen(
            ["node", "-e", _PEER], cwd=CLIENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def fill(self, template: str, values: Any) -> str | None:
        """Return what handlebars.js makes of it, None if it refuses the template."""
        assert self._node.stdin and self._node.stdout
        self._node.stdin.write(json.dumps([template, values]).encode() + b"\n")
        self._node.stdin.flush()
        answer = json.loads(self._node.stdout.readline())
        text: str | None = answer.get("text")
        return text

    def end(self) -> None:
        assert self._node.stdin and self._node.stdout
        self._node.stdin.close()
        self._node.wait()
        self._node.stdout.close()
