"""What a configuration says above an app reaches the app's instances unchanged."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.configuration import layers
from chalicelib.configuration.above import LONGEST, NOTHING, Above
from chalicelib.configuration.app_settings import DECLARED
from chalicelib.configuration.declaring import OPERATORS, LayerKind
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.layers import Layer, Origin, resolve
from chalicelib.configuration.shiny_server_conf.reading import read
from chalicelib.configuration.shiny_server_conf.setting_layers import setting_layers

EVERY = """run_as shiny; frame_options sameorigin; set_header X-A "1 2"; preserve_logs;
sockjs_heartbeat_delay 7; google_analytics_id G-1;
server { listen 80; app_init_timeout 30; disable_protocols streaming websocket;
  location / { site_dir /srv; log_dir /log; utilization_scheduler 5 .5 2; reconnect off;
    set_header X-B "ü"; exec_supervisor "nice -n 10"; r_path /opt/R; sanitize_errors no;
    location /a { simple_scheduler 7; app_idle_timeout 0; log_file_mode 0644; } } }"""


def of(text: str, path: str = "", number: int = 1) -> Above:
    configuration = read(text, "shiny-server.conf").configuration
    assert configuration is not None
    location = next(one for one in configuration.sites[0].locations if one.path == path)
    return Above(tuple(setting_layers(location)), number)


@pytest.mark.parametrize("path", ["", "/a"])
def test_an_agent_resolves_what_the_lambda_resolves_with_each_values_line(path: str) -> None:
    above = of(EVERY, path)
    carried = Above.of_text(above.text, above.number)
    assert resolve(carried.layers) == resolve(above.layers)
    assert carried.text == above.text
    assert str(resolve(carried.layers).origin_of("app_init_timeout")) == (
        "server (shiny-server.conf:3)"
    )


@given(st.lists(st.sampled_from(sorted(OPERATORS)), max_size=3), st.data())
def test_any_layers_are_carried_unchanged(kinds: list[LayerKind], data: st.DataObject) -> None:
    texts = st.text(max_size=5)
    values = st.dictionaries(
        st.sampled_from(sorted(DECLARED)),
        st.one_of(st.booleans(), st.integers(), texts, st.dictionaries(texts, texts)),
        min_size=1,
    )
    above = Above(tuple(Layer(Origin(kind, "f:1"), data.draw(values), {}) for kind in kinds), 3)
    assert Above.of_text(above.text, 3) == above


def test_too_much_for_an_instances_row_is_refused_with_its_place() -> None:
    lines = "".join(f'set_header X-{n} "{"x" * 900}";' for n in range(4))
    nested = "location /a { " + lines
    text = f"run_as shiny; server {{ listen 80; location / {{ app_dir /a; log_dir /l; {lines}"
    assert of(f"{text} }} }}").text
    many = Layer(
        Origin(LayerKind.LOCATION, "shiny-server.conf:9"), {"set_header": {"A": "x" * LONGEST}}
    )
    with pytest.raises(BadAppSetting, match=r"location \(shiny-server.conf:9\): .* 30,000 are"):
        Above((many,)).text  # noqa: B018
    assert nested


def test_layers_that_only_authors_write_are_not_taken() -> None:
    smuggled = Above((layers.app({"size": "small"}),)).text
    with pytest.raises(ValueError, match="no layer of an operator"):
        Above.of_text(smuggled)


numbers = st.integers(0, 5)


@given(numbers, numbers, st.sampled_from(["", "a", "b"]), st.sampled_from(["", "a", "b"]))
def test_of_two_layers_at_most_one_replaces_the_other(
    one: int, other: int, first: str, second: str
) -> None:
    def above(word: str, number: int) -> Above:
        values: dict[str, Any] = {"google_analytics_id": word} if word else {}
        return Above((Layer(Origin(LayerKind.SERVER), values),), number)

    a, b = above(first, one), above(second, other)
    forth, back = a.replaces(b.text, other), b.replaces(a.text, one)
    assert not (forth and back)
    assert forth == (one > other and first != second)


def test_nothing_above_is_no_text() -> None:
    assert (NOTHING.text, Above.of_text("")) == ("", NOTHING)
