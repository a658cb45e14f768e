"""Sheen answers what Shiny Server answers, or the difference is told in the docs."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable

import pytest

import app as lambdas
from chalicelib.lambdas.environment import Environment
from chalicelib.visits.by_configuration import ByConfiguration
from tests.chalicelib.proxy_events import body_of
from tests.chalicelib.standin_agent import StandinAgent
from tests.chalicelib.visits.beside_shiny_server import real
from tests.chalicelib.visits.beside_shiny_server.differences import DIFFERENCES
from tests.chalicelib.visits.beside_shiny_server.seen import Seen
from tests.chalicelib.visits.beside_shiny_server.site import (
    TREE,
    Question,
    configurations,
    questions,
)
from tests.chalicelib.visits.configured import Folders, apply, ask, clear, locations, write
from tests.support.effort import FULL, amount
from tests.support.stack import TREE as REPOSITORY

PAGE = REPOSITORY / "docs" / "from-shiny-server.md"
APP = Seen(500)
"""The real server has no R here, so it says so for each path that an app owns."""


@pytest.fixture(autouse=True)
def site(
    dynamodb_calls: Counter[str], agent: StandinAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = Environment()
    monkeypatch.setattr(lambdas, "here", fresh)
    fresh.bind()
    clear()
    for path, content in TREE.items():
        write(f"r/{path}", body=content.encode())
    found = ByConfiguration.of(fresh.settings, lambda: 1000.0)
    found._app_in = Folders(agent).app_in
    fresh.__dict__["by_configuration"] = found


def ours(question: Question) -> Seen:
    answer = ask(question.path, list(question.headers), question.method)
    headers = {name.lower(): values[-1] for name, values in answer["multiValueHeaders"].items()}
    body = b"" if question.method == "HEAD" else body_of(answer)
    return APP if body.startswith(b"app ") else Seen.of(answer["statusCode"], headers, body)


def compare(asked: Iterable[tuple[Question, Seen]]) -> Counter[str]:
    """Compare answers; return how often which difference was met."""
    met: Counter[str] = Counter()
    texts = configurations("/r")
    applied = -1
    wrong: list[str] = []
    for question, theirs in sorted(asked, key=lambda pair: pair[0].configuration):
        if question.configuration != applied:
            applied = question.configuration
            apply(locations(texts[applied]), str(applied))
        mine = ours(question)
        if mine == theirs:
            continue
        told = next((each for each in DIFFERENCES if each.applies(question, theirs, mine)), None)
        if told is None:
            wrong.append(f"{real.key(question)}\n  real {theirs}\n  ours {mine}")
        else:
            met[told.told] += 1
    assert not wrong, f"{len(wrong)} answers differ:\n" + "\n".join(wrong[:20])
    return met


@pytest.mark.parametrize("live", [False, True] if FULL else [False])
def test_sheen_answers_as_the_real_server(live: bool) -> None:
    """At full length, the real server is asked again, and all that it was asked before."""
    every, kept = list(questions(real.ALL)), real.recorded()
    if live:
        answers = asyncio.run(real.answers(every))
        assert dict(zip(map(real.key, every), answers, strict=True)) == kept, "record them again"
    once = every[: len(every) - real.ALL]
    some = random.Random(7).sample(every[len(once) :], amount(real.ALL))
    met = compare((question, kept[real.key(question)]) for question in (*once, *some))
    if FULL:
        assert set(met) == {each.told for each in DIFFERENCES}, "a difference that is none any more"


def test_the_docs_tell_each_difference() -> None:
    page = " ".join(PAGE.read_text().split())
    assert [each.told for each in DIFFERENCES if each.told not in page] == []
