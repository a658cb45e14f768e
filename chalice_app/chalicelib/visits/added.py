"""Headers that an app's settings add to its answers. Pure."""

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.visits.answer import Answer

_FRAMES = "x-frame-options"


def with_headers(answer: Answer, settings: AppSettings) -> Answer:
    """Return any answer with the headers of ``set_header`` that it does not have itself."""
    there = {name.lower() for name, _ in answer.headers}
    more = tuple(
        (name.lower(), value)
        for name, value in settings.set_header.items()
        if name.lower() not in there
    )
    return answer._replace(headers=(*answer.headers, *more))


def framed(answer: Answer, settings: AppSettings | None) -> Answer:
    """Return an app's answer with what ``frame_options`` says instead of the app.

    If the settings cannot be read, nobody may show the answer in a frame.
    """
    options = settings.frame_options if settings is not None else "deny"
    if options == "allow":
        return answer
    word, _, site = options.partition(" ")
    header = ("content-security-policy", f"frame-ancestors {site}") if site else (_FRAMES, word)
    kept = tuple(pair for pair in answer.headers if pair[0].lower() != _FRAMES)
    return answer._replace(headers=(*kept, header))
