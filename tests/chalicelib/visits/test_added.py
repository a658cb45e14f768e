"""Headers that an app's settings add to answers, beside those that the answers have."""

import pytest

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.visits.added import framed, with_headers
from chalicelib.visits.answer import Answer


def test_a_header_is_added_unless_the_answer_has_it() -> None:
    settings = AppSettings(set_header={"Referrer-Policy": "no-referrer", "X-Own": "operator"})
    answer = Answer(200, (("X-OWN", "app"), ("set-cookie", "a=1"), ("set-cookie", "b=2")), b"x")
    assert with_headers(answer, settings) == Answer(
        200, (*answer.headers, ("referrer-policy", "no-referrer")), b"x"
    )
    assert with_headers(answer, AppSettings()) == answer


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        ("allow", (("X-Frame-Options", "ALLOWALL"),)),
        ("deny", (("x-frame-options", "deny"),)),
        ("sameorigin", (("x-frame-options", "sameorigin"),)),
        (
            "allow-from https://example.org",
            (("content-security-policy", "frame-ancestors https://example.org"),),
        ),
    ],
)
def test_what_frame_options_says_goes_before_what_the_app_says(
    options: str, headers: tuple[tuple[str, str], ...]
) -> None:
    own = Answer(200, (("X-Frame-Options", "ALLOWALL"), ("content-type", "text/html")), b"")
    answer = framed(own, AppSettings.parse({"frame_options": options}))
    shown = [pair for pair in answer.headers if pair[0] != "content-type"]
    assert tuple(shown) == headers
    assert ("content-type", "text/html") in answer.headers


def test_nobody_frames_an_app_whose_settings_cannot_be_read() -> None:
    assert framed(Answer(200, (), b""), None).headers == (("x-frame-options", "deny"),)
