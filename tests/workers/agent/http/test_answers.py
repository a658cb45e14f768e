"""The agent's own answers say by their status what kind of failure there was."""

from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from agent.failure import AppStartFailed, NoSeat, PageUnfit, WorkerExited, WorkerFailed, WorkerGone
from agent.http import answers

ERRORS = [
    (AppStartFailed("It stopped.", "Error: no"), 500, None),
    (WorkerExited("It stopped."), 503, "2"),
    (PageUnfit("It is no page."), 500, None),
    (NoSeat(3), 503, "2"),
    (WorkerGone(), 410, None),
]


@pytest.mark.parametrize(("error", "status", "again"), ERRORS, ids=lambda value: str(value))
def test_a_program_gets_a_line_of_text(error: WorkerFailed, status: int, again: str | None) -> None:
    request = make_mocked_request("GET", "/", headers={"Accept": "*/*"})
    answer = answers.failed(request, error, Path("/srv/app"), "/hello", sanitize=False)
    assert (answer.status, answer.text) == (status, f"{error}\n")
    assert answer.headers.getall("Cache-Control") == ["no-store"]
    assert answer.headers.get("Retry-After") == again


@pytest.mark.parametrize(("error", "status", "again"), ERRORS[:-1], ids=lambda value: str(value))
def test_a_person_gets_a_page_with_the_headers_of_our_pages(
    error: WorkerFailed, status: int, again: str | None
) -> None:
    request = make_mocked_request("GET", "/", headers={"Accept": "text/html"})
    answer = answers.failed(request, error, Path("/srv/app"), "/hello", sanitize=False)
    assert (answer.status, answer.content_type) == (status, "text/html")
    for name in ("Cache-Control", "Content-Security-Policy", "Content-Type"):
        assert len(answer.headers.getall(name)) == 1
    assert ("Retry-After" in answer.headers) is (again is not None)
