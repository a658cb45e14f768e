"""Which requests start no app and take no seat: prefetches, crawlers, HEAD and OPTIONS. Pure."""

from enum import Enum

from chalicelib.visits.request import VisitorRequest

ROBOTS = "/robots.txt"
ROBOTS_TEXT = "User-agent: *\nDisallow: /\n"
"""The answer to :data:`ROBOTS` unless an app at the root has a file of that name."""

_LONGEST = 1000
"""Characters of a user agent that are examined."""
_CRAWLERS = (
    "bot/",
    "bot;",
    "bot)",
    "bot-",
    "robot",
    "crawler",
    "spider",
    "slurp",
    "bingpreview",
    "mediapartners-google",
    "google-inspectiontool",
    "googleother",
    "facebookexternalhit",
    "meta-externalagent",
    "whatsapp/",
    "skypeuripreview",
    "embedly",
    "ia_archiver",
    "claude-web",
    "chatgpt-user",
    "perplexity-user",
    "bytespider",
    "headlesschrome-lighthouse",
    "chrome-lighthouse",
    "pingdom",
    "uptimerobot",
)
"""Parts of the user agents of well-known crawlers and of services that show page previews."""


class Caller(Enum):
    """The kind of caller, as far as it decides whether an app starts for it."""

    VISITOR = "visitor"
    """A person's browser, or a program."""
    PREFETCH = "prefetch"
    """A browser that prefetches a page, which may never be opened."""
    CRAWLER = "crawler"


def caller(request: VisitorRequest) -> Caller:
    """Return the kind of caller, judged by the request's headers."""
    purposes = [
        request.header(name).lower() for name in ("sec-purpose", "purpose", "x-purpose", "x-moz")
    ]
    if any(
        word in purpose for purpose in purposes for word in ("prefetch", "prerender", "preview")
    ):
        return Caller.PREFETCH
    # The name of Cubot's telephones contains "bot".
    agent = request.header("user-agent")[:_LONGEST].lower().replace("cubot", "")
    return Caller.CRAWLER if any(mark in agent for mark in _CRAWLERS) else Caller.VISITOR


def is_program(request: VisitorRequest) -> bool:
    """Return whether a program sent the request, not a page in a browser.

    A program's request may start the app, and is held until the app is ready. A page that is left
    open may send requests forever, and must not keep its app awake.
    """
    return (
        caller(request) is Caller.VISITOR
        and request.method not in ("HEAD", "OPTIONS")
        and not any(name.startswith("sec-fetch-") for name, _ in request.headers)
    )
