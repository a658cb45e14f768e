"""A run's decisions: each can be carried out, every run ends, and nothing urgent is lost."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.syncs.decision import (
    APPS,
    COPY,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    PREPARE,
    Decision,
    Finish,
    GiveUp,
    Pause,
    RunFacts,
    TaskWork,
    Transfer,
    decide,
)
from chalicelib.syncs.model import Way

WHY = st.sampled_from(["", "It failed."])
STEPS = st.lists(st.sampled_from(["prepare-0.0", "copy-1.0", "transfer-1.0", APPS]), unique=True)
SEEN = st.builds(
    RunFacts,
    st.sampled_from(Way),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(0, 10),
    STEPS.map(tuple),
    st.integers(0, 10),
    st.booleans(),
    WHY,
    WHY,
)


@given(SEEN)
def test_a_decision_can_always_be_carried_out(seen: RunFacts) -> None:
    match decide(seen):
        case Transfer():
            assert seen.way is Way.TRANSFER, "DataSync never touches urgent files"
            assert seen.asked and seen.folder_ready
        case TaskWork(work="prepare"):
            assert seen.way is Way.TRANSFER and not seen.folder_ready
        case TaskWork(work="copy"):
            assert seen.way is Way.COPY and seen.asked
        case TaskWork(work="apps", gave_up=gave_up):
            assert seen.publishes and seen.changed and APPS not in seen.steps
            assert gave_up == seen.failed
        case Pause(seconds=seconds, why=why):
            assert FIRST_PAUSE <= seconds <= LONGEST_PAUSE
            assert why == seen.failed and seen.attempt < seen.retries
        case GiveUp(why=why):
            assert why
        case Finish():
            assert not seen.failed and not seen.gave_up


@given(SEEN)
def test_a_run_that_succeeds_owes_nothing(seen: RunFacts) -> None:
    if decide(seen) == Finish():
        assert not seen.owes_apps
        assert seen.way is Way.COPY or (not seen.asked and seen.folder_ready)
        assert not seen.asked or seen.has_copied


@given(SEEN)
def test_what_is_urgent_is_copied_or_its_run_says_why_not(seen: RunFacts) -> None:
    urgent = seen._replace(way=Way.COPY, asked=True)
    if not urgent.has_copied:
        assert decide(urgent) != Finish()


@given(SEEN)
def test_changes_are_published_before_a_run_gives_up(seen: RunFacts) -> None:
    if isinstance(decide(seen), GiveUp) and not seen.gave_up:
        assert not seen.owes_apps


@dataclass
class World:
    """A run whose steps succeed or fail, and requests that keep coming."""

    way: Way
    publishes: bool
    retries: int
    asked: int
    ready: bool = False
    changed: bool = False
    attempt: int = 0
    gave_up: str = ""
    steps: list[str] = field(default_factory=list)
    served: int = 0

    def seen(self, failed: str = "") -> RunFacts:
        return RunFacts(
            self.way,
            self.served < self.asked,
            self.ready,
            self.publishes,
            self.retries,
            tuple(self.steps),
            self.attempt,
            self.changed,
            self.gave_up,
            failed,
        )

    def go_on(self, decision: Decision, well: bool, changes: bool, more: int) -> str:
        """Carry a decision out; return why it failed, if it did. ``more`` requests come by then."""
        match decision:
            case Pause():
                self.attempt += 1
                return ""
            case TaskWork(gave_up=gave_up):
                self.gave_up = gave_up
        assert isinstance(decision, TaskWork | Transfer)
        work = decision.work if isinstance(decision, TaskWork) else "transfer"
        self.changed |= changes and work in (COPY, "transfer")
        taken = self.asked
        self.asked += more
        assert decision.id not in self.steps, "or its results would not be counted"
        if not well:
            if changes:
                self.steps.append(decision.id)
            return "It failed."
        self.steps.append(decision.id)
        self.attempt = 0
        self.ready |= work == PREPARE
        if work in (COPY, "transfer"):
            self.served = taken
        return ""


HAPPENS = st.tuples(st.booleans(), st.booleans(), st.integers(0, 2))


@given(
    st.builds(World, st.sampled_from(Way), st.booleans(), st.integers(0, 4), st.integers(0, 3)),
    st.lists(HAPPENS, max_size=30),
    st.booleans(),
)
def test_every_run_ends_and_a_success_has_served_what_was_asked_before_it_looked(
    world: World, happens: list[tuple[bool, bool, int]], well_at_last: bool
) -> None:
    """After whatever happens, no more requests come, and all goes well or nothing does."""
    first, failed = world.asked, ""
    course = iter([*happens, *[(well_at_last, False, 0)] * 40])
    while not isinstance(decision := decide(world.seen(failed)), Finish | GiveUp):
        failed = world.go_on(decision, *next(course))
    if isinstance(decision, Finish):
        assert world.served >= first
        assert world.way is Way.COPY or world.served == world.asked
        assert not world.changed or not world.publishes or APPS in world.steps
