"""The image's Debian comes from where this machine's own comes from."""

from infra.local.image import apt_sources, mirrors_of

HERE = "http://a.example/debian/ trixie\nhttp://b.example/security/ trixie-security\n"


def test_a_suite_of_this_machine_has_its_mirrors() -> None:
    assert apt_sources("trixie", mirrors_of(HERE), "deb http://c.example/debian trixie main\n") == (
        "deb http://a.example/debian trixie main\n"
        "deb http://a.example/debian trixie-updates main\n"
        "deb http://b.example/security trixie-security main\n"
    )


def test_another_suite_has_the_mirror_that_debootstrap_used() -> None:
    assert apt_sources("forky", mirrors_of(HERE), "deb http://c.example/debian forky main\n") == (
        "deb http://c.example/debian forky main\n"
        "deb http://c.example/debian forky-updates main\n"
        "deb http://c.example/debian-security forky-security main\n"
    )


def test_a_machine_without_apt_has_no_mirrors() -> None:
    assert mirrors_of("") == {}
