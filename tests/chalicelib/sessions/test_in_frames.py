"""Sheen's cookies in a page of another site that shows an app in a frame, in a real browser."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from chalicelib import cookies
from chalicelib.bodies.pages import page_cookie
from chalicelib.sessions import passes
from tests.support.chromium import launch_options

pytestmark = pytest.mark.browser

OURS = [
    *passes.set_visitor("visitor", "/hello", secure=True),
    page_cookie("token", "v1.0.0", "/hello", secure=True),
    f"sheen-place=p; Path=/hello/; HttpOnly; {cookies.site(secure=True)}",
]
FOREIGN = "foreign=1; Path=/hello/; SameSite=None; Secure"


class TwoSites(ThreadingHTTPServer):
    """The app at localhost, to which browsers send secure cookies, and a portal at 127.0.0.1."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.shown: list[str] = []
        """The cookies that each request to the app brought."""


class _Handler(BaseHTTPRequestHandler):
    server: TwoSites

    def do_GET(self) -> None:
        app = f"http://localhost:{self.server.server_port}/hello/"
        body = f'<iframe src="{app}"></iframe>'.encode()
        self.send_response(200)
        self.send_header("content-type", "text/html")
        if self.path.startswith("/hello/"):
            body = b"<p>the app</p>"
            self.server.shown.append(self.headers.get("cookie", ""))
            for cookie in [*OURS, FOREIGN]:
                self.send_header("set-cookie", cookie)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.mark.parametrize("blocked", [False, True])
async def test_a_frame_sends_our_cookies_back_even_where_those_of_others_are_blocked(
    blocked: bool, tmp_path: Path
) -> None:
    (tmp_path / "Default").mkdir()
    preferences = {
        "profile": {"cookie_controls_mode": int(blocked), "block_third_party_cookies": blocked}
    }
    (tmp_path / "Default" / "Preferences").write_text(json.dumps(preferences))
    with TwoSites() as sites:
        threading.Thread(target=sites.serve_forever, daemon=True).start()
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                tmp_path, **launch_options()
            )
            page = await context.new_page()
            await page.goto(f"http://127.0.0.1:{sites.server_port}/")
            await page.frame_locator("iframe").locator("p").wait_for()
            await page.main_frame.child_frames[0].evaluate("fetch('again').then(() => 0)")
            await context.close()
        sites.shutdown()
    for name in (passes.VISITOR, "sheen-page", "sheen-place"):
        assert f"{name}=" in sites.shown[-1]
    assert ("foreign=1" in sites.shown[-1]) is not blocked
