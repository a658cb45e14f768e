"""Who asks: persons' browsers, programs, crawlers, and browsers in advance."""

import pytest

from chalicelib.visits.callers import Caller, caller, is_program
from chalicelib.visits.request import VisitorRequest

BROWSERS = [
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/129.0.0.0 Safari/537.36"
    ),
    "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/17.5 Mobile/15E148 Safari/604.1"
    ),
    (
        "Mozilla/5.0 (Linux; Android 10; CUBOT) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/129.0.0.0 Mobile Safari/537.36"
    ),
    "",
]
PROGRAMS = [
    "curl/8.9.1",
    "python-requests/2.32",
    "Wget/1.24",
    "libcurl/7.88 r-curl/5.2.1 httr/1.4.7",
]
CRAWLERS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; "
        "+http://www.bing.com/bingbot.htm) Chrome/116"
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; "
        "+https://openai.com/gptbot)"
    ),
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
    "Twitterbot/1.0",
    "WhatsApp/2.23.20.0",
    "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
]


def request(method: str = "GET", **headers: str) -> VisitorRequest:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return VisitorRequest(method, "/hello/", "", (), pairs, b"", "1")


@pytest.mark.parametrize("agent", BROWSERS + PROGRAMS)
def test_browsers_and_programs_are_visitors(agent: str) -> None:
    assert caller(request(user_agent=agent)) is Caller.VISITOR


@pytest.mark.parametrize("agent", CRAWLERS)
def test_crawlers_are_known_by_what_they_say(agent: str) -> None:
    assert caller(request(user_agent=agent)) is Caller.CRAWLER
    assert not is_program(request(user_agent=agent))


@pytest.mark.parametrize(
    "header",
    [
        {"sec_purpose": "prefetch"},
        {"sec_purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
        {"x_moz": "prefetch"},
    ],
)
def test_a_browser_in_advance_says_so(header: dict[str, str]) -> None:
    assert caller(request(user_agent=BROWSERS[0], **header)) is Caller.PREFETCH


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_a_program_is_held_but_for_what_only_asks_about(method: str) -> None:
    assert is_program(request(method, user_agent=PROGRAMS[0])) == (
        method not in ("HEAD", "OPTIONS")
    )
    assert not is_program(request(method, user_agent=BROWSERS[0], sec_fetch_mode="cors")), (
        "a page that is left open may ask for ever"
    )
