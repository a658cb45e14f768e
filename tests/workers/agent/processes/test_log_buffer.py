"""What waits to be sent: CloudWatch Logs' limits, order, bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from agent.processes.log_buffer import (
    BATCH_BYTES,
    BATCH_EVENTS,
    BATCH_SPAN_MS,
    EVENT_BYTES,
    Event,
    LogBuffer,
)

DAY = 24 * 3600 * 1000
TEXTS = st.one_of(st.text(max_size=30), st.integers(1, 300_000).map(lambda length: "ä" * length))


def drained(buffer: LogBuffer) -> list[list[Event]]:
    batches = []
    while buffer:
        batches.append(list(buffer.take()))
    return batches


@given(st.lists(st.tuples(st.integers(0, 3 * DAY), TEXTS), max_size=40))
def test_every_batch_is_within_the_services_limits(lines: list[tuple[int, str]]) -> None:
    buffer = LogBuffer(keep_bytes=5_000_000)
    for at_ms, text in lines:
        buffer.add(at_ms, text)
    for batch in drained(buffer):
        assert 0 < len(batch) <= BATCH_EVENTS
        assert sum(event.size for event in batch) <= BATCH_BYTES
        assert all(1 <= len(event.text.encode()) <= EVENT_BYTES for event in batch)
        times = [event.at_ms for event in batch]
        assert times == sorted(times)
        assert times[-1] - times[0] <= BATCH_SPAN_MS


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50), max_size=60
    )
)
def test_what_fits_is_given_out_whole_and_in_order(lines: list[str]) -> None:
    buffer = LogBuffer()
    for at_ms, text in enumerate(lines):
        buffer.add(at_ms, text)
    assert [event.text for batch in drained(buffer) for event in batch] == lines


@given(st.lists(st.integers(1, 900), min_size=1, max_size=80))
def test_the_oldest_lines_go_first_and_their_number_is_said_where_they_are_missing(
    lengths: list[int],
) -> None:
    keep = 2000
    buffer = LogBuffer(keep)
    for number, length in enumerate(lengths):
        buffer.add(number, f"{number:03d}" + "x" * length)
        assert sum(event.size for event in buffer._events) <= keep
    events = [event for batch in drained(buffer) for event in batch]
    missing = int(events[0].text.split()[1]) if events[0].text.startswith("[sheen]") else 0
    kept = [int(event.text[:3]) for event in events[1 if missing else 0 :]]
    assert kept == list(range(missing, len(lengths)))


def test_many_small_lines_fill_a_batch_by_their_number() -> None:
    buffer = LogBuffer()
    for number in range(BATCH_EVENTS + 1):
        assert buffer.fills_a_batch is (number >= BATCH_EVENTS)
        buffer.add(number, "x")
    assert [len(batch) for batch in drained(buffer)] == [BATCH_EVENTS, 1]


def test_a_clock_that_is_set_back_brings_nothing_out_of_order() -> None:
    buffer = LogBuffer()
    for at_ms in (5000, 1000, 7000):
        buffer.add(at_ms, "x")
    assert [event.at_ms for event in buffer.take()] == [5000, 5000, 7000]
