"""No app has more than its deployment allows, whatever its author asks for."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.apps import store
from chalicelib.apps.ceilings import Ceilings
from chalicelib.apps.configure import configure, on_demand
from chalicelib.apps.model import App
from chalicelib.configuration.app_settings import SIZES, AppSettings
from chalicelib.configuration.deployment import Settings
from chalicelib.configuration.errors import BadAppSetting
from tests.chalicelib.aws_in_process import ENVIRONMENT

LIMITED = {
    "SHEEN_LARGEST_SIZE": "medium",
    "SHEEN_MOST_INSTANCES_PER_APP": "3",
    "SHEEN_LONGEST_IDLE": "3600",
}
CEILINGS = Ceilings("medium", 3, 3600.0)


@pytest.fixture
def limited(dynamodb_calls: object) -> Iterator[None]:
    """A deployment with ceilings."""
    App.bound(Settings.from_environment({**ENVIRONMENT, **LIMITED}))
    yield
    App.bound(Settings.from_environment(ENVIRONMENT))


@given(
    st.builds(
        lambda size, instances, start, idle, unvisited: AppSettings(
            size=size,
            max_instances=instances,
            start_count=min(start, instances),
            instance_idle_timeout=idle,
            instance_unvisited_timeout=unvisited,
        ),
        st.sampled_from(SIZES),
        st.integers(1, 100),
        st.integers(1, 100),
        st.sampled_from([0.0, 1.0, 3600.0, 3601.0, 1e6]),
        st.sampled_from([0.0, 1.0, 90.0, 1e6]),
    ),
    st.builds(
        Ceilings, st.sampled_from(SIZES), st.integers(0, 100), st.sampled_from([0.0, 60.0, 3600.0])
    ),
)
def test_what_is_cut_is_within_each_ceiling_and_nothing_else_changes(
    settings: AppSettings, ceilings: Ceilings
) -> None:
    held = ceilings.cut(settings)
    assert SIZES.index(held.size) <= min(
        SIZES.index(ceilings.largest_size), SIZES.index(settings.size)
    )
    assert (
        not ceilings.most_instances_per_app or held.max_instances <= ceilings.most_instances_per_app
    )
    assert 1 <= held.start_count <= held.max_instances <= settings.max_instances
    for idle in (held.instance_idle_timeout, held.instance_unvisited_timeout):
        assert not ceilings.longest_idle or 0 < idle <= ceilings.longest_idle
    assert ceilings.cut(held) == held
    bounded = (
        "size",
        "max_instances",
        "start_count",
        "instance_idle_timeout",
        "instance_unvisited_timeout",
    )
    changed = {name: getattr(settings, name) for name in bounded}
    assert replace(held, **changed) == settings
    assert Ceilings().cut(settings) == settings


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"size": "xxxlarge"},
            r"setting size is xxxlarge; this deployment allows medium at most \(its largest_size\)",
        ),
        (
            {"max_instances": 100},
            (
                r"setting max_instances is 100; this deployment allows 3 at most \(its "
                r"most_instances_per_app\)"
            ),
        ),
        (
            {"start_count": 4, "max_instances": 4},
            r"is 4; this deployment allows 3 at most \(its most_instances_per_app\)",
        ),
        (
            {"instance_idle_timeout": 0},
            (
                r"setting instance_idle_timeout is 0; this deployment allows 3600 at most "
                r"\(its longest_idle\)"
            ),
        ),
        (
            {"instance_idle_timeout": "7200"},
            r"instance_idle_timeout is 7200; this deployment allows 3600 at most",
        ),
    ],
)
def test_a_change_beyond_a_ceiling_is_refused_with_the_ceiling(
    changes: dict[str, Any], told: str
) -> None:
    store.ensure("/greedy", 1.0)
    with pytest.raises(BadAppSetting, match=told):
        configure("/greedy", changes, 2.0)
    assert App.get("/greedy").settings == {}


@pytest.mark.usefixtures("limited")
def test_what_was_stored_before_is_cut_and_shown_and_stands_in_no_other_changes_way() -> None:
    app = store.ensure("/old", 1.0)
    app.update(
        actions=[
            App.settings.set({"max_instances": 50}),
            App.bundle_settings.set({"size": "xxlarge", "start_count": 20, "max_instances": 20}),
        ]
    )
    configure("/old", {"app_idle_timeout": 60, "max_instances": 2, "start_count": 1}, 2.0)
    configure("/old", {"max_instances": None, "start_count": ""}, 2.5)
    app.update(actions=[App.settings.set({"max_instances": 50, "start_count": 20})])
    shown = on_demand({"location": "/old"}, lambda: 3.0)
    held = {
        name: (shown["settings"][name], *shown["sources"][name].values())
        for name in ("size", "max_instances", "start_count", "instance_idle_timeout")
    }
    assert held == {
        "size": ("medium", "bundle", "sheen.toml", "largest_size"),
        "max_instances": (3, "app", "sheen configure", "most_instances_per_app"),
        "start_count": (3, "app", "sheen configure", "most_instances_per_app"),
        "instance_idle_timeout": (900.0, "default", "", ""),
    }
    assert App.get("/old").resolved().settings.max_instances == 3
