"""What page and worker agree on, as the agent overhears it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.witness import Witness

TARGET = "session/00c0ffee/upload/job1"


def asked(*sizes: object, tag: object = 3, method: str = "uploadInit") -> str:
    files = [{"name": "a.csv", "size": size, "type": ""} for size in sizes]
    return json.dumps({"method": method, "args": [files], "tag": tag}, separators=(",", ":"))


def answered(tag: object = 3, **answer: object) -> str:
    return json.dumps({"response": {"tag": tag, **answer}}, separators=(",", ":"))


def agreed(witness: Witness, *sizes: object, target: str = TARGET) -> None:
    witness.from_page("0", asked(*sizes))
    witness.from_worker("0", answered(value={"jobId": "job1", "uploadUrl": f"{target}?w=v1.0.1"}))


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_sessions_token_is_what_its_worker_says_first(separators: tuple[str, str]) -> None:
    witness = Witness()
    witness.from_worker(
        "0",
        json.dumps(
            {"config": {"workerId": "", "sessionId": "c0ffee", "user": None}}, separators=separators
        ),
    )
    assert witness.knows("c0ffee")
    assert not witness.knows("")


def test_a_file_is_taken_where_and_as_large_as_was_agreed() -> None:
    witness = Witness()
    agreed(witness, 5, 7)
    assert witness.accepts(f"/{TARGET}?w=anything", 5) and witness.accepts(TARGET, 7)
    assert not witness.accepts(TARGET, 6)
    assert not witness.accepts("session/00c0ffee/upload/job2", 5)
    spaced = Witness()
    spaced.from_page("0", json.dumps(json.loads(asked(5))))
    spaced.from_worker("0", json.dumps({"response": {"tag": 3, "value": {"uploadUrl": TARGET}}}))
    assert spaced.accepts(TARGET, 5)


def test_what_the_worker_refused_or_nobody_asked_for_is_not_taken() -> None:
    witness = Witness()
    witness.from_page("0", asked(5))
    witness.from_worker("0", answered(error="Maximum upload size exceeded"))
    witness.from_worker(
        "0", answered(value={"jobId": "job1", "uploadUrl": TARGET})
    )  # its tag is used up
    witness.from_page("0", asked(5, tag=4))
    witness.from_worker("1", answered(4, value={"uploadUrl": TARGET}))  # another channel's answer
    assert not witness.accepts(TARGET, 5)


def test_a_job_that_has_ended_takes_nothing() -> None:
    witness = Witness()
    agreed(witness, 5)
    witness.from_page("0", '{"method":"uploadEnd","args":["job1","file"],"tag":5}')
    assert not witness.accepts(TARGET, 5)


def test_a_page_cannot_make_it_remember_without_end() -> None:
    witness = Witness()
    for tag in range(10_000):
        witness.from_page("0", asked(5, tag=tag))
        witness.from_worker("0", json.dumps({"config": {"sessionId": str(tag)}}).replace(" ", ""))
    assert len(witness._asked) == len(witness._tokens) == 64
    witness.from_page("0", asked(5, method="uploadInit") + " " * 2_000_000)
    assert ("0", 3) not in witness._asked


@given(
    st.text(),
    st.sampled_from(
        ['{"method":"uploadInit"', '{"method":"uploadEnd"', '{"config":', '{"response":']
    ),
)
def test_nonsense_is_no_agreement(text: str, start: str) -> None:
    witness = Witness()
    witness.from_page("0", asked(5))
    witness.from_page("0", start + text)
    witness.from_worker("0", start + text)
    assert not witness.accepts("", 5)


@pytest.mark.parametrize("wrong", ["5", None, [], {}, 5.5])
def test_a_size_is_a_number(wrong: object) -> None:
    witness = Witness()
    agreed(witness, wrong)
    assert not witness._jobs
