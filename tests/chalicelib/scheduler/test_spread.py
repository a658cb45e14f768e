"""How sessions are spread over an instance's R processes."""

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.worker_limits import WorkerLimits
from chalicelib.scheduler.spread import OnNewWorker, OnWorker, WorkersFull, spread

LIMITS = st.builds(
    WorkerLimits,
    st.integers(1, 20),
    st.sampled_from([0.0, 0.05, 0.29, 0.5, 0.9, 1.0]),
    st.integers(1, 6),
)


def come(sessions: dict[int, int], limits: WorkerLimits) -> OnWorker | OnNewWorker | WorkersFull:
    """A session comes, and takes the place that it gets."""
    placement = spread(sessions, limits)
    match placement:
        case OnWorker(worker):
            sessions[worker] += 1
        case OnNewWorker():
            sessions[max(sessions, default=0) + 1] = 1
    return placement


def test_the_guides_worked_example() -> None:
    """``utilization_scheduler 5 0.5 3``: the third session opens the second process, the sixteenth
    is turned away.
    """
    limits = AppSettings.parse({"utilization_scheduler": "5 0.5 3"}).worker_limits
    sessions: dict[int, int] = {}
    placements = [come(sessions, limits) for _ in range(16)]
    assert [
        number for number, placement in enumerate(placements, 1) if placement == OnNewWorker()
    ] == [
        1,
        3,
        6,
    ]
    assert [
        number for number, placement in enumerate(placements, 1) if placement == WorkersFull()
    ] == [16]
    assert sessions == {1: 5, 2: 5, 3: 5}


def test_a_simple_scheduler_has_one_process() -> None:
    limits = AppSettings.parse({"simple_scheduler": 3}).worker_limits
    sessions: dict[int, int] = {}
    assert [come(sessions, limits) for _ in range(4)] == [
        OnNewWorker(),
        OnWorker(1),
        OnWorker(1),
        WorkersFull(),
    ]


def test_a_load_factor_is_the_decimal_fraction_that_it_looks_like() -> None:
    assert spread({1: 28}, WorkerLimits(100, 0.29, 2)) == OnWorker(1)
    assert spread({1: 29}, WorkerLimits(100, 0.29, 2)) == OnNewWorker()


@given(LIMITS, st.data())
def test_no_worker_is_overfull_and_nobody_is_turned_away_while_there_is_a_place(
    limits: WorkerLimits, data: st.DataObject
) -> None:
    sessions: dict[int, int] = {}
    for _ in range(data.draw(st.integers(0, 80))):
        taken = [worker for worker, count in sessions.items() if count]
        leaves: bool = data.draw(st.booleans())
        if leaves and taken:
            sessions[data.draw(st.sampled_from(taken))] -= 1
            continue
        if sessions and data.draw(st.integers(0, 9)) == 0:
            del sessions[data.draw(st.sampled_from(sorted(sessions)))]
        before = dict(sessions)
        placement = come(sessions, limits)
        assert all(count <= limits.max_connections for count in sessions.values())
        assert len(sessions) <= limits.max_processes
        assert (placement == WorkersFull()) == (sum(before.values()) == limits.seats)
        if isinstance(placement, OnWorker):
            fewest = min(before.values())
            assert before[placement.worker] == fewest
            used = sum(sessions.values()) / (len(sessions) * limits.max_connections)
            assert len(sessions) == limits.max_processes or used <= limits.load_factor + 1e-9
