"""Lines of the access log, beside morgan's own."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.configuration.access_log import FORMATS, Format, LogEntry
from chalicelib.configuration.errors import BadAccessLogFormat

CLIENT = Path(__file__).parents[3] / "client"

# Answers a JSON list of [format, entry] with the list of morgan's lines.
_MORGAN = """
const morgan = require("morgan");
const cases = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const lines = cases.map(([format, entry]) => {
  const end = entry.seconds === null ? undefined : [Math.floor(entry.seconds), 0];
  if (end) end[1] = Math.round((entry.seconds - end[0]) * 1e9);
  const auth = entry.user && "Basic " + Buffer.from(entry.user + ":x").toString("base64");
  const headers = { ...entry.request, ...(auth ? { authorization: auth } : {}) };
  const request = {
    method: entry.method, originalUrl: entry.url, _remoteAddress: entry.address, headers,
    httpVersionMajor: 1, httpVersionMinor: 1, _startAt: [0, 0],
  };
  const sent = { ...entry.response };
  if (entry.length !== null) sent["content-length"] = String(entry.length);
  const response = {
    headersSent: entry.status !== null, statusCode: entry.status, _startAt: end,
    getHeader: (name) => sent[name.toLowerCase()],
  };
  const Now = Date;
  globalThis.Date = class extends Now { constructor() { super(entry.began * 1000); } };
  globalThis.Date.UTC = Now.UTC;
  const text = morgan[format] && typeof morgan[format] !== "function" ? morgan[format] : format;
  const fill = typeof morgan[format] === "function" ? morgan[format] : morgan.compile(text);
  const line = fill(morgan, request, response);
  globalThis.Date = Now;
  return line;
});
process.stdout.write(JSON.stringify(lines));
"""

ENTRY = LogEntry(
    "GET",
    "/hello/?a=1&b=%20",
    200,
    began=1796032571.25,
    seconds=1.25,
    length=512,
    address="192.0.2.7",
    user="ann",
    request={"user-agent": "Mozilla/5.0", "referer": "https://example.org/", "x-own": "1"},
    response={"content-type": "text/html"},
)
ENTRIES = [
    ENTRY,
    replace(ENTRY, status=304, length=None, user="", request={"referrer": "other"}, seconds=0.0005),
    replace(ENTRY, status=404, method="HEAD", address="", request={}),
    replace(ENTRY, status=500, response={"x-answer": "own"}),
    replace(ENTRY, status=101, length=0),
]
OWN = [
    ":method :url :response-time[0] ms",
    ":date[iso] :date[web] :date :req[x-own] :req[X-Own] :res[X-Answer] :res[content-length]",
    "plain text; 12:3 a:b :status",
]


def test_every_format_writes_what_morgan_writes() -> None:
    # Shiny Server takes its default for morgan's combined one, which morgan itself does not.
    names = [name for name in FORMATS if name != "default"]
    assert FORMATS["default"] == FORMATS["combined"]
    cases: list[Any] = [[format_, asdict(entry)] for format_ in [*names, *OWN] for entry in ENTRIES]
    ran = subprocess.run(
        ["node", "-e", _MORGAN],
        cwd=CLIENT,
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = json.loads(ran.stdout)
    ours = [Format.parse(case[0]).line(LogEntry(**case[1])) for case in cases]
    assert ours == theirs


def test_a_token_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(BadAccessLogFormat, match=r"no token :verb; there are :date, "):
        Format.parse(":verb :url")


@given(st.sampled_from(sorted(FORMATS)), st.text(), st.text(), st.text())
def test_no_visitor_can_forge_a_line(name: str, url: str, agent: str, user: str) -> None:
    entry = replace(ENTRY, url=url, user=user, request={"user-agent": agent, "referer": agent})
    line = Format.parse(name).line(entry)
    assert len(line.splitlines()) == 1
    if name == "combined":
        assert line.replace('\\"', "").count('"') == 6
