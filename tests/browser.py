"""The built site and a browser to open it with: what the tests of the site share. Their fixtures are in conftest.py."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlparse

import pytest
from playwright.sync_api import ConsoleMessage, Page, Request, Response
from print_book import CHROMIUM

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
# Every name but this machine's own is made unresolvable, so a page that leans on another host fails.
FLAGS = [
    "--no-sandbox",  # containers seldom allow one, and these pages are our own
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
# A change of scheme fades in, so this is waited for.
SHOWS_SCHEME = """(scheme) => {
  const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
  const fading = document.getAnimations().some((one) => one instanceof CSSTransition && one.playState === "running");
  return !fading && (r + g + b) / 3 < 128 === (scheme === "dark");
}"""


def html_pages() -> list[str]:
    """Every page of the site, relative to it; the theme's own templates under _static are none."""
    pages = (path.relative_to(SITE) for path in SITE.rglob("*.html"))
    return sorted(path.as_posix() for path in pages if path.parts[0] != "_static")


PAGES = html_pages()
needs_site = pytest.mark.skipif(not PAGES, reason="There is no built site in _build/html: run `make book` first.")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="No Chromium or Chrome was found, so the site was not opened in a browser."
)


@dataclass
class Visit:
    """A browser tab that remembers whom it asked and what went wrong."""

    page: Page
    hosts: set[str | None] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", self._asked)
        self.page.on("console", self._printed)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("response", self._answered)

    def _asked(self, request: Request) -> None:
        if request.url.startswith("http"):
            self.hosts.add(urlparse(request.url).hostname)

    def _printed(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.errors.append(f"{response.status} {response.url}")

    def open(self, url: str) -> None:
        """Go to a page and wait until it asks for nothing more and its formulas are set."""
        self.hosts.clear()
        self.errors.clear()
        self.page.goto(url)
        self.page.wait_for_load_state("networkidle")
        if self.page.locator(".math").count():
            self.page.wait_for_function("window.MathJax?.startup?.promise")
            self.page.evaluate("MathJax.startup.promise.then(() => null)")
