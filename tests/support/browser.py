"""Opens pages in Debian's Chromium, without a screen, and hears what they ask for.

It reaches loopback alone: any other name leads nowhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Page, Request, Response, sync_playwright

from tests.support.peers import peer
from tests.support.program import HOST

WITHIN_MS = 60_000
_SWITCHES = (
    "--no-sandbox",  # as root, which tests may be
    "--use-gl=angle",
    "--use-angle=swiftshader",  # WebGL without a graphics card
    "--enable-unsafe-swiftshader",
    f"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE {HOST}",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@dataclass(kw_only=True)
class Heard:
    """What a page asked for under one root, and what came of it."""

    root: str
    answered: list[Response] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Method and address, with the status or why there was none."""

    def answer(self, response: Response) -> None:
        """Keep an answer."""
        if not response.url.startswith(self.root):
            return
        self.answered.append(response)
        if response.status >= 400:
            self.failed.append(f"{response.status} {response.request.method} {response.url}")

    def failure(self, request: Request) -> None:
        """Keep that there was no answer."""
        # A page that has what it wanted of a stream, or closes, breaks off on its own.
        if request.url.startswith(self.root) and request.failure != "net::ERR_ABORTED":
            self.failed.append(f"{request.failure} {request.method} {request.url}")


@contextmanager
def a_page(root: str) -> Iterator[tuple[Page, Heard]]:
    """A page of its own browser; what is asked for under `root` is heard."""
    heard = Heard(root=root)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=peer("chromium"), args=list(_SWITCHES))
        # A worker of the viewer's would load its library from afar.
        context = browser.new_context(
            service_workers="block", viewport={"width": 1200, "height": 800}
        )
        context.set_default_timeout(WITHIN_MS)
        page = context.new_page()
        page.on("response", heard.answer)
        page.on("requestfailed", heard.failure)
        try:
            yield page, heard
        finally:
            browser.close()
