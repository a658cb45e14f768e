"""What Shiny's own page tells R of itself when it starts, for any app: found in the page's HTML, as
shiny.js finds it.
"""

import json
import re
from html.parser import HTMLParser
from typing import Any

_CLASSES = {
    "shiny-plot-output": "plot",
    "shiny-image-output": "plot",
    "shiny-text-output": "text",
    "shiny-html-output": "text",
}


class _Found(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.outputs: dict[str, str] = {}
        self.inputs: dict[str, Any] = {}
        self._select: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attributes}
        classes, name = told.get("class", "").split(), told.get("id", "")
        kind = next((_CLASSES[one] for one in classes if one in _CLASSES), None)
        if name and kind:
            self.outputs[name] = kind
        elif "shiny-download-link" in classes:
            self.outputs[name] = "text"
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and self._select not in self.inputs:
            self.inputs[self._select] = told.get("value", "")
        elif tag == "input" and told.get("type") in ("radio", "checkbox") and "name" in told:
            if "checked" in told and told["type"] == "radio":
                self.inputs[told["name"]] = told.get("value", "")
        elif tag == "input" and name:
            self._input(name, classes, told)

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None

    def _input(self, name: str, classes: list[str], told: dict[str, str]) -> None:
        if "js-range-slider" in classes:
            ends = [float(told[end]) for end in ("data-from", "data-to") if end in told]
            self.inputs[f"{name}:shiny.number"] = ends if len(ends) == 2 else ends[0]
        elif told.get("type") == "number":
            self.inputs[f"{name}:shiny.number"] = float(told.get("value") or 0)
        elif told.get("type") == "checkbox":
            self.inputs[name] = "checked" in told
        elif told.get("type") != "file":
            self.inputs[name] = told.get("value", "")


def outputs(html: str) -> dict[str, str]:
    """Return a page's outputs: id → ``plot`` or ``text``."""
    found = _Found()
    found.feed(html)
    return found.outputs


def init(html: str) -> str:
    """Return Shiny's first message for a page whose outputs are all to be seen."""
    found = _Found()
    found.feed(html)
    data: dict[str, Any] = dict(found.inputs)
    for name, kind in found.outputs.items():
        data[f".clientdata_output_{name}_hidden"] = False
        if kind == "plot":
            data |= {
                f".clientdata_output_{name}_{side}": pixels
                for side, pixels in (("width", 600), ("height", 400))
            }
    data |= {
        ".clientdata_pixelratio": 1,
        ".clientdata_url_protocol": "http:",
        ".clientdata_url_hostname": "localhost",
        ".clientdata_url_port": "",
        ".clientdata_url_pathname": "/",
        ".clientdata_url_search": "",
        ".clientdata_url_hash_initial": "",
        ".clientdata_url_hash": "",
        ".clientdata_singletons": ",".join(
            re.findall(r"(?<=application/shiny-singletons\">)[^<]*", html)
        ),
    }
    return json.dumps({"method": "init", "data": data})
