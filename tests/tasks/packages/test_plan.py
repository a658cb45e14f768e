"""What is installed, in which order, and what cannot work: decided without any package."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.packages import plan
from tasks.packages.errors import BadLock, NotAvailable
from tasks.packages.image import RInstallation, RPackage
from tasks.packages.lock import Lock, LockedPackage
from tasks.packages.sources import PackageSource
from tasks.packages.versions import needs


def image(**packages: str) -> RInstallation:
    return RInstallation(
        "4.2.2", "R-4.2-x", {name: RPackage(name, version) for name, version in packages.items()}
    )


def source(name: str, version: str = "1.0", imports: str = "", sha256: str = "") -> PackageSource:
    return PackageSource(name, version, Path(name), sha256 or f"{name} {version}", needs(imports))


def lock(*wanted: LockedPackage) -> Lock:
    return Lock("renv.lock", "4.2.2", wanted)


def make(
    sources: list[PackageSource],
    there: RInstallation | None = None,
    missing: Mapping[str, str] | None = None,
    mismatch: str = "stop",
) -> plan.InstallPlan:
    wanted = [LockedPackage(each.name, each.version) for each in sources] + [
        LockedPackage(name, "9.0") for name in missing or {}
    ]
    return plan.make(
        lock(*wanted),
        there or image(),
        {each.name: each for each in sources},
        missing or {},
        mismatch,
    )


graphs = st.integers(1, 12).flatmap(
    lambda size: st.lists(
        st.lists(st.integers(0, size - 1), max_size=4), min_size=size, max_size=size
    ).map(
        lambda edges: {
            f"p{node}": sorted({f"p{to}" for to in targets if to < node})
            for node, targets in enumerate(edges)
        }
    )
)


@given(graphs, st.randoms())
def test_each_package_comes_after_all_that_it_needs(
    graph: dict[str, list[str]], random: object
) -> None:
    sources = [source(name, imports=", ".join(wanted)) for name, wanted in graph.items()]
    random.shuffle(sources)  # type: ignore[attr-defined]
    steps = make(sources).steps
    assert sorted(step.name for step in steps) == sorted(graph)
    seen: set[str] = set()
    for step in steps:
        assert set(step.needs) == set(graph[step.name])
        assert set(step.closure) <= seen
        assert set(step.needs) <= set(step.closure)
        seen.add(step.name)


def test_packages_that_need_each_other_are_named() -> None:
    with pytest.raises(BadLock, match=r"renv\.lock: packages need each other in a circle: a1, b1;"):
        make([source("a1", imports="b1"), source("b1", imports="a1"), source("c1")])


def entries(sources: list[PackageSource], there: RInstallation | None = None) -> dict[str, str]:
    return {step.name: step.entry for step in make(sources, there).steps}


def test_an_entry_is_another_when_its_source_or_what_it_is_installed_with_is_another_and_only_then() -> (  # noqa: E501
    None
):
    using = source("using", imports="plain, more, utils")
    before = entries(
        [source("plain", imports="deep"), source("deep"), source("apart"), using],
        image(more="1.0", unused="1.0"),
    )
    assert before["using"].startswith("using/1.0-")
    same = [using, source("apart", "2.0"), source("deep"), source("plain", imports="deep")]
    assert entries(same, image(more="1.0", unused="2.0"))["using"] == before["using"]
    for other, there in (
        ([source("plain", "1.1", imports="deep"), source("deep"), using], "1.0"),
        ([source("plain", imports="deep"), source("deep", sha256="patched"), using], "1.0"),
        ([source("plain", imports="deep"), source("deep"), using], "1.1"),
        (
            [
                source("plain", imports="deep"),
                source("deep"),
                source("using", imports="plain, more, utils", sha256="x"),
            ],
            "1.0",
        ),
    ):
        assert entries(other, image(more=there))["using"] != before["using"]


def test_what_the_image_has_is_not_looked_for_and_what_comes_from_elsewhere_is() -> None:
    there = image(R6="2.5.1", cli="3.6.0", shiny="1.7.4")
    wanted = lock(
        LockedPackage("R6", "2.5-1"),
        LockedPackage("cli", "3.6.0", remote="GitHub (r-lib/cli)"),
        LockedPackage("shiny", "1.7.5"),
        LockedPackage("new", "1.0"),
    )
    assert [each.name for each in plan.to_find(wanted, there)] == ["cli", "shiny", "new"]


def test_every_package_that_cannot_be_had_is_named_with_what_the_image_has() -> None:
    with pytest.raises(NotAvailable) as caught:
        make(
            [],
            image(a1="1.0", b1="2.0"),
            {"a1": "cran has 8.0", "b1": "cran does not answer", "c1": "cran does not have it"},
        )
    message = str(caught.value)
    assert 'package "a1" 9.0 cannot be had, the image has 1.0: cran has 8.0' in message
    assert 'package "b1" 9.0 cannot be had, the image has 2.0: cran does not answer' in message
    assert 'package "c1" 9.0 cannot be had: cran does not have it' in message
    assert "with-installed" not in message  # it would not help with c1
    with pytest.raises(NotAvailable, match="c1"):
        make([], image(a1="1.0"), {"a1": "x", "c1": "x"}, plan.WITH_INSTALLED)
    many = {f"p{number}": "x" for number in range(10)}
    with pytest.raises(NotAvailable, match="and 2 more"):
        make([], image(), many)


def test_with_installed_takes_the_images() -> None:
    made = make(
        [source("using", imports="a1")],
        image(a1="1.0"),
        {"a1": "cran has 8.0"},
        plan.WITH_INSTALLED,
    )
    assert made.instead == ("a1 1.0 instead of 9.0: cran has 8.0",)
    assert [step.name for step in made.steps] == ["using"]


@pytest.mark.parametrize(
    ("imports", "why"),
    [
        ("R (>= 4.3)", r'package "a1" 1\.0 needs R \(>= 4\.3\), and this deployment has R 4\.2\.2'),
        ("gone", r'package "a1" 1\.0 needs gone, which is neither in renv\.lock nor in the image'),
        ("b1 (>= 1.1)", r'package "a1" 1\.0 needs b1 \(>= 1\.1\), and b1 is 1\.0'),
        ("i1 (>= 4.0)", r'package "a1" 1\.0 needs i1 \(>= 4\.0\), and i1 is 3\.0'),
    ],
)
def test_what_cannot_work_together_is_told_before_anything_is_installed(
    imports: str, why: str
) -> None:
    with pytest.raises(BadLock, match=why):
        make([source("a1", imports=imports), source("b1")], image(i1="3.0"))
    assert make(
        [source("a1", imports="R (>= 4.2), utils, b1 (>= 1.0), i1 (> 2)"), source("b1")],
        image(i1="3.0"),
    ).steps


def test_shiny_itself_must_be_able_to_load_with_what_the_lock_file_wants() -> None:
    there = RInstallation(
        "4.2.2", "x", {"shiny": RPackage("shiny", "1.7.4", needs("htmltools (>= 0.5.2)"))}
    )
    with pytest.raises(
        BadLock,
        match=r'package "shiny" 1\.7\.4 needs htmltools \(>= 0\.5\.2\), and htmltools is 0\.4\.0',
    ):
        make([source("htmltools", "0.4.0")], there)
