from __future__ import annotations

import json
import re

import pytest

from relay.page import PageConfig, element, inject
from relay.settings import RelaySettings

CONFIG = PageConfig("s1", "t.t", "/socket", "/hello", "abc")


@pytest.mark.parametrize(
    ("html", "tail"),
    [
        (
            b"<!DOCTYPE html><html><head><title>x</title></head><body></body></html>",
            b"</head><body></body></html>",
        ),
        (b"<html><HEAD><script>'</head>'</script></HEAD ><body>", b"</HEAD ><body>"),
        (b"<html><!-- </head> --><head></head>", b"</head>"),
        (b"<html><head><title></head></title></head>", b"</head>"),
        (b"<html><body class='a'>x", b"<body class='a'>x"),
        (b"<!doctype html>\n<p>x", b"<p>x"),
        (b"x", b"x"),
        (b"", b""),
        ("<head>é</head>".encode("latin-1"), b"</head>"),
    ],
)
def test_the_client_goes_into_the_head(html: bytes, tail: bytes) -> None:
    inserted = element(CONFIG)
    result = inject(html, CONFIG)
    start = result.index(inserted)
    assert result[:start] + result[start + len(inserted) :] == html
    assert result[start + len(inserted) :] == tail


def test_what_else_a_page_gets_stands_after_the_client() -> None:
    result = inject(b"<head></head>", CONFIG, b"<script>1</script>")
    assert result == b"<head>" + element(CONFIG) + b"<script>1</script></head>"


def test_no_value_ends_the_script_element() -> None:
    text = element(PageConfig("</script><!--", "é\u2028&", 'w"', '/a"<b', "h")).decode("ascii")
    assert text.count("</script>") == 2 and "<!--" not in text
    [config] = re.findall(r'id="sheen-config">(.*?)</script>', text)
    assert json.loads(config)["session"] == "</script><!--"
    assert 'src="/a&quot;&lt;b/__sheen__/relay.js?h"' in text


def test_the_client_is_told_what_the_app_allows() -> None:
    settings = RelaySettings(
        grace=30.0, reconnect=False, disabled=("websocket", "jsonp-polling"), heartbeat=10.0
    )
    told = PageConfig("s1", "t", "/socket", "/hello", "abc", "v1.0.1", settings).as_json()
    assert told["worker"] == "v1.0.1"
    assert isinstance(told["settings"], dict)
    expected = {
        "reconnect": False,
        "disabled": ["websocket", "jsonp-polling"],
        "heartbeatSeconds": 10.0,
        "graceSeconds": 30.0,
    }
    assert told["settings"] == {**told["settings"], **expected}
