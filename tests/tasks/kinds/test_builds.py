"""Each kind can be built."""

from chalicelib.kinds import served
from tasks.kinds import builds


def test_each_kind_has_a_build() -> None:
    assert builds.BUILDS.keys() == {kind.name for kind in served.KINDS}


def test_the_scripts_that_look_through_an_app_are_there() -> None:
    checks = [build.check for build in builds.BUILDS.values() if build.check is not None]
    assert all(script.is_file() for check in checks for script in check.scripts)
