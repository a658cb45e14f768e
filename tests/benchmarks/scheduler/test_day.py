"""The simulated day: nobody is lost in it, and its numbers belong together."""

from dataclasses import replace

import pytest

from benchmarks.scheduler import Case, judged, row, simulate, table
from benchmarks.scheduler import day as simulation
from benchmarks.scheduler.day import SETTINGS, START, Day, Outcome
from benchmarks.scheduler.engine import Engine
from benchmarks.scheduler.traffic import BURST_SIZE, Traffic, visits
from chalicelib.instances.state import InstanceState
from tests.support.stack import TREE

HOUR = 3600.0
ROOMY = Traffic(20, 400, seconds=6 * HOUR)
CROWDED = Traffic(2, 900, seconds=2 * HOUR)
"""With one instance an app: visitors queue and leave."""


@pytest.fixture(scope="module", params=[(ROOMY, 60), (CROWDED, 1)], ids=["roomy", "crowded"])
def day(request: pytest.FixtureRequest) -> tuple[Day, Outcome, Traffic]:
    traffic, instances = request.param
    simulated = Day(traffic, 7, replace(SETTINGS, max_instances=instances))
    return simulated, simulated.run(), traffic


def test_every_visitor_is_served_turned_away_gone_or_waiting(
    day: tuple[Day, Outcome, Traffic],
) -> None:
    _, outcome, traffic = day
    assert outcome.arrived == traffic.sessions
    assert outcome.arrived == outcome.served + outcome.turned_away + outcome.left + outcome.waiting
    assert len(outcome.waits) == outcome.served
    assert 0 < outcome.warm <= outcome.served
    assert min(outcome.waits) > 0


def test_a_crowded_app_has_a_queue_and_a_roomy_one_has_none(
    day: tuple[Day, Outcome, Traffic],
) -> None:
    _, outcome, traffic = day
    assert (outcome.bill.calls["PutItem queue"] > 0) is (traffic is CROWDED)
    assert (outcome.left > 0) is (traffic is CROWDED)


def test_no_instance_ever_has_more_sessions_than_seats_or_lives_beyond_its_visitors(
    day: tuple[Day, Outcome, Traffic],
) -> None:
    simulated, outcome, traffic = day
    rows = [row for slots in simulated.instances.rows.values() for row in slots.values()]
    assert all(len(row.seats) <= row.capacity for row in rows)
    if traffic is ROOMY:
        assert {row.state for row in rows} == {InstanceState.STOPPED}
    seats = SETTINGS.worker_limits.seats
    assert outcome.session_seconds <= outcome.instance_seconds * seats
    assert outcome.instance_seconds >= outcome.instances * START[0]
    longest = traffic.seconds + 1800
    assert outcome.instance_seconds <= outcome.instances * longest
    assert outcome.workers <= outcome.served


def test_what_was_called_belongs_to_what_happened(day: tuple[Day, Outcome, Traffic]) -> None:
    _, outcome, _ = day
    calls, conflicts = outcome.bill.calls, outcome.bill.conflicts
    assert calls["PutItem instances"] - conflicts["claim"] == outcome.instances
    taken = calls["UpdateItem instances: take a seat"] - conflicts["take a seat"]
    assert taken >= outcome.served
    assert calls["PutItem connections"] <= outcome.served
    assert outcome.bill.write_units >= sum(
        count for name, count in calls.items() if name.startswith(("Put", "Update", "Delete"))
    )


def test_the_same_seed_gives_the_same_day_and_another_seed_another() -> None:
    traffic = Traffic(5, 200, seconds=HOUR)
    first, again, other = Day(traffic, 1).run(), Day(traffic, 1).run(), Day(traffic, 2).run()
    assert first == again
    assert first != other


def test_waiting_pages_ask_as_often_as_the_real_one() -> None:
    script = (TREE / "chalice_app/chalicelib/pages/templates/waiting.js").read_text()
    assert (
        f"shortest = {simulation.POLL_FIRST * 1000:g}, longest = "
        f"{simulation.POLL_LONGEST * 1000:g},"
    ) in script
    assert f"delay * {simulation.POLL_GROWTH:g})" in script


def test_traffic_has_as_many_visits_as_asked_in_order_and_its_bursts() -> None:
    found = visits(Traffic(50, 3000), seed=3)
    assert len(found) == 3000
    assert [visit.at for visit in found] == sorted(visit.at for visit in found)
    assert all(0 <= visit.at <= 24 * HOUR and 0 <= visit.app < 50 for visit in found)

    def most_within_two_minutes(traffic: Traffic) -> int:
        times = [visit.at for visit in visits(traffic, seed=3) if visit.app == 49]
        return max((sum(at <= other < at + 120 for other in times) for at in times), default=0)

    assert most_within_two_minutes(Traffic(50, 3000, popular=0, in_bursts=0)) < BURST_SIZE / 4
    alone = [visit.at for visit in visits(Traffic(1, BURST_SIZE, in_bursts=1), seed=3)]
    assert alone[-1] - alone[0] < 600


def test_virtual_time_goes_in_the_order_of_what_is_due() -> None:
    engine = Engine()
    said: list[tuple[float, str]] = []

    def speak(name: str, pause: float) -> None:
        for _ in range(2):
            engine.sleep(pause)
            said.append((engine.now, name))

    engine.start(speak, "slow", 3.0)
    engine.start(speak, "quick", 1.0, at=1.5)
    engine.run(until=5.0)
    assert said == [(2.5, "quick"), (3.0, "slow"), (3.5, "quick")]
    assert engine.now == 5.0


def test_the_report_judges_growth() -> None:
    rows = [
        simulate(Case("apps", Traffic(apps, apps * 10, popular=0, in_bursts=0, seconds=HOUR)), 1)
        for apps in (20, 200)
    ]
    lines = judged(rows)
    assert len(lines) == 4
    assert all(line.startswith("met") for line in lines), lines
    rows[1]["calls"] *= 2
    assert judged(rows)[0].startswith("missed")
    assert table(rows).count("\n") == 3


def test_a_row_of_no_served_visitor_can_be_shown() -> None:
    empty = row(
        Case("full", Traffic(1, 1)), [Outcome(arrived=1, turned_away=1, instance_seconds=1.0)], 0.0
    )
    assert empty["turned away"] == 1.0
    assert empty["wait p99"] == 0.0
