"""Places below a ceiling: never more than there are, whoever races."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances import spares, store
from chalicelib.instances.ceilings import store as ceilings
from chalicelib.instances.ceilings.errors import TooManyInstances
from chalicelib.instances.ceilings.model import HELD, INSTANCES
from chalicelib.instances.model import InstanceRef
from chalicelib.lives import pool
from chalicelib.lives.repairs import GRACE, SeenInstance, drift
from chalicelib.scheduler.seating import DeploymentFull, Queued, Scheduler, Seated, Starting

NOW = 1_800_000_000.0


@pytest.mark.usefixtures("dynamodb_calls")
class TestRows:
    def test_of_many_who_come_at_once_as_many_get_in_as_there_is_room_for(self) -> None:
        with ThreadPoolExecutor(20) as threads:
            entered = list(
                threads.map(
                    lambda number: ceilings.enter(INSTANCES, f"i{number}", 7, NOW), range(20)
                )
            )
        assert sum(entered) == 7 == len(ceilings.holders(INSTANCES))

    def test_a_place_that_is_had_is_not_taken_twice_and_is_given_back_once(self) -> None:
        assert ceilings.enter(HELD, "a", 1, NOW)
        assert ceilings.enter(HELD, "a", 1, NOW + 1)
        assert not ceilings.enter(HELD, "b", 1, NOW)
        assert [
            ceilings.leave(HELD, "a"),
            ceilings.leave(HELD, "a"),
            ceilings.leave("nothing", "a"),
        ] == [True, False, False]
        assert ceilings.enter(HELD, "b", 1, NOW)

    def test_places_whose_time_is_over_are_given_back(self) -> None:
        ceilings.enter(HELD, "a", 3, NOW)
        ceilings.enter(HELD, "b", 3, NOW + 10)
        assert ceilings.expire(HELD, NOW + 5) == 1
        assert ceilings.holders(HELD) == {"b": NOW + 10}

    def test_many_first_visitors_of_many_apps_start_no_more_instances_than_there_may_be(
        self,
    ) -> None:
        def visit(number: int) -> object:
            scheduler = Scheduler(lambda: NOW, most_instances=4)
            return scheduler.seat(
                f"{number % 9:012x}.v",
                f"/{number % 9}",
                AppSettings(max_instances=3, start_count=3),
                f"s{number}",
            )

        with ThreadPoolExecutor(12) as threads:
            outcomes = list(threads.map(visit, range(36)))
        assert len(store.everywhere()) == 4 == len(ceilings.holders(INSTANCES))
        assert {type(outcome) for outcome in outcomes} == {Starting, DeploymentFull}

    def test_an_instance_that_stops_makes_room_and_a_lost_race_takes_none(self) -> None:
        first = Scheduler(lambda: NOW, most_instances=1).seat(
            "0123456789ab.v", "/a", AppSettings(), "s1"
        )
        assert isinstance(first, Starting)
        assert isinstance(
            Scheduler(lambda: NOW, most_instances=1).seat(
                "0123456789ac.v", "/b", AppSettings(), "s2"
            ),
            DeploymentFull,
        )
        assert store.claim("0123456789ab.v", 0, app="/a", capacity=1, now=NOW, most=2) is None
        assert list(ceilings.holders(INSTANCES)) == [first.instance.instance_id]
        store.mark_stopped(first.instance.ref, None, NOW)
        assert isinstance(
            Scheduler(lambda: NOW, most_instances=1).seat(
                "0123456789ac.v", "/b", AppSettings(), "s2"
            ),
            Starting,
        )

    def test_who_wants_a_further_instance_of_an_app_that_runs_queues_at_the_ceiling(self) -> None:
        scheduler = Scheduler(lambda: NOW, most_instances=1)
        settings = AppSettings(simple_scheduler=1, max_instances=5)
        first = scheduler.seat("0123456789ab.v", "/a", settings, "s1")
        assert isinstance(first, Starting)
        store.mark_ready(first.instance.ref, "10.0.0.1:8080", "token", NOW)
        assert isinstance(scheduler.seat("0123456789ab.v", "/a", settings, "s2"), Seated)
        queued = scheduler.seat("0123456789ab.v", "/a", settings, "s3")
        assert isinstance(queued, Queued)
        assert scheduler.standing("0123456789ab.v", settings, queued.place) is not None, (
            "the page waits, and does not load itself over and over"
        )
        ceilings.leave(INSTANCES, first.instance.instance_id)
        assert scheduler.standing("0123456789ab.v", settings, queued.place) is None

    def test_spares_count(self) -> None:
        assert pool.refill({"large": 5}, NOW, 3) == 3
        with pytest.raises(TooManyInstances, match="most_instances"):
            spares.claim("small", NOW, 3)

    def test_the_ceiling_costs_a_warm_page_nothing(self, dynamodb_calls: Counter[str]) -> None:
        scheduler = Scheduler(lambda: NOW, most_instances=9)
        first = scheduler.seat("0123456789ab.v", "/a", AppSettings(), "s1")
        assert isinstance(first, Starting)
        store.mark_ready(first.instance.ref, "10.0.0.1:8080", "token", NOW)
        scheduler.seat("0123456789ab.v", "/a", AppSettings(), "s2")
        dynamodb_calls.clear()
        assert isinstance(scheduler.seat("0123456789ab.v", "/a", AppSettings(), "s3"), Seated)
        assert dynamodb_calls == {"UpdateItem": 1}


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([NOW, NOW - 2 * GRACE])),
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.tuples(
            st.sampled_from(["READY", "STARTING", "STOPPED"]),
            st.sampled_from([NOW, NOW - 2 * GRACE]),
        ),
    ),
)
def test_what_the_sweeper_corrects_makes_the_places_those_of_the_living_but_for_the_young(
    places: dict[str, float], rows: dict[str, tuple[str, float]]
) -> None:
    seen = [
        SeenInstance(InstanceRef("v", 0, name), state, "/", "large", at, None, "")
        for name, (state, at) in rows.items()
    ]
    gone, missing = drift(places, seen, NOW)
    living = {name for name, (state, _) in rows.items() if state != "STOPPED"}
    after = (places.keys() - set(gone)) | set(missing)
    assert set(gone) <= places.keys() - living
    assert set(missing) <= living - places.keys()
    for name in after ^ living:
        assert places.get(name, rows.get(name, ("", 0.0))[1]) == NOW, (
            "what is young follows by itself"
        )
