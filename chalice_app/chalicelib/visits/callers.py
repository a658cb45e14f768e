"""Which requests start nothing and take no seat: what a browser fetches in advance, crawlers, and what only asks about. Pure."""

from enum import Enum

from chalicelib.visits.request import VisitorRequest

ROBOTS = "/robots.txt"
ROBOTS_TEXT = "User-agent: *\nDisallow: /\n"
"""Unless an app at the root has a file of that name."""

_LONGEST = 1000
"""Characters of a user agent that are looked at."""
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
"""What the user agents of well-known crawlers, and of services that show a page's preview, have in them."""


class Caller(Enum):
    """Who asks, as far as that says whether an app is to start for it."""

    VISITOR = "visitor"
    """A person's browser, or a program."""
    PREFETCH = "prefetch"
    """A browser, for a page that may never be opened."""
    CRAWLER = "crawler"


def caller(request: VisitorRequest) -> Caller:
    """Return who asks, by what it says of itself."""
    purposes = [request.header(name).lower() for name in ("sec-purpose", "purpose", "x-purpose", "x-moz")]
    if any(word in purpose for purpose in purposes for word in ("prefetch", "prerender", "preview")):
        return Caller.PREFETCH
    agent = request.header("user-agent")[:_LONGEST].lower().replace("cubot", "")  # makes telephones
    return Caller.CRAWLER if any(mark in agent for mark in _CRAWLERS) else Caller.VISITOR


def is_program(request: VisitorRequest) -> bool:
    """Whether a program asks on its own, and no page of a browser: it may start the app that it asks, and is held until the app is there.

    A page that is left open may ask for ever: it must not keep its app awake.
    """
    return (
        caller(request) is Caller.VISITOR
        and request.method not in ("HEAD", "OPTIONS")
        and not any(name.startswith("sec-fetch-") for name, _ in request.headers)
    )
