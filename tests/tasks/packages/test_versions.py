"""R's order of versions, and what DESCRIPTION fields say."""

import subprocess

from hypothesis import given
from hypothesis import strategies as st

from tasks.packages import dcf, versions

numbers = st.lists(st.integers(0, 30), min_size=2, max_size=4).flatmap(
    lambda digits: st.lists(
        st.sampled_from(".-"), min_size=len(digits) - 1, max_size=len(digits) - 1
    ).map(
        lambda signs: "".join(
            f"{digit}{sign}" for digit, sign in zip(digits, [*signs, ""], strict=True)
        )
    )
)


def test_versions_compare_as_in_r() -> None:
    one = ["1.0", "1.0.0", "1.0-1", "1.10", "1.9", "0.99-9", "2.0", "1.0.1"]
    script = (
        f"v <- c({','.join(map(repr, one))}); for (a in v) for (b in v) cat(compareVersion(a, "
        "b), '')"
    )
    said = subprocess.run(
        ["Rscript", "-e", script], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    ours = [
        (versions.parts(a) > versions.parts(b)) - (versions.parts(a) < versions.parts(b))
        for a in one
        for b in one
    ]
    assert [int(each) for each in said] == ours


@given(numbers, numbers)
def test_a_need_is_met_by_exactly_the_versions_that_it_says(have: str, asked: str) -> None:
    assert versions.is_version(have)
    rules = {
        rule: versions.Dependency("x", rule, asked).allows(have)
        for rule in (">=", "<=", ">", "<", "==", "!=")
    }
    assert rules["=="] == versions.same(have, asked) != rules["!="]
    assert rules[">="] == (rules[">"] or rules["=="])
    assert rules["<="] == (rules["<"] or rules["=="])
    assert rules["<"] + rules["=="] + rules[">"] == 1


def test_fields_of_a_description() -> None:
    description = dcf.record(
        "Package: x1\nImports: R6, rlang (>=1.0.2),\n    methods , odd thing\nDepends: R "
        "(>= 4.1)\nTitle: A: b\n"
    )
    assert description["Title"] == "A: b"
    assert [str(need) for need in versions.strong_needs(description)] == [
        "R (>= 4.1)",
        "R6",
        "rlang (>= 1.0.2)",
        "methods",
    ]
