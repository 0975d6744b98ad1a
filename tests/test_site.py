"""The built site in a real browser: nothing from outside, nothing broken, on a desktop and on a phone, light and dark.

Every name but this machine's own is made unresolvable, so a page that leans on another host fails here.
"""

import functools
import http.server
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright

from hnetlib import MLP, HyperNetwork, TargetNetwork

SITE = Path(__file__).parents[1] / "_build" / "html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((path for path in map(shutil.which, BROWSERS) if path), None)
FLAGS = [
    "--no-sandbox",  # containers seldom allow one, and these pages are our own
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
# What a page loads by itself, as opposed to a link that a reader may follow.
LOADING = {"script": "src", "link": "href", "img": "src", "iframe": "src", "video": "src", "audio": "src"}


def html_pages() -> list[str]:
    """Every page of the site, relative to it; the theme's own templates under _static are none."""
    pages = (path.relative_to(SITE) for path in SITE.rglob("*.html"))
    return sorted(path.as_posix() for path in pages if path.parts[0] != "_static")


PAGES = html_pages()
needs_site = pytest.mark.skipif(not PAGES, reason="There is no built site in _build/html: run `make book` first.")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="No Chromium or Chrome was found, so the site was not opened in a browser."
)
pytestmark = needs_site


# --- what the files say, without a browser ------------------------------------------------------


class Links(HTMLParser):
    """Collects what a page can be linked at, what it links to and what it loads."""

    def __init__(self, page: str):
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed((SITE / page).read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.ids |= {values[key] for key in ("id", "name") if key in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in LOADING and values.get("rel") != "canonical":
            self.loads.append(values.get(LOADING[tag], ""))


@functools.cache
def links_of(page: str) -> Links:
    return Links(page)


def is_outside(address: str) -> bool:
    return bool(urlparse(address).netloc)


def broken_links(page: str) -> Iterator[str]:
    """Links and loaded files of a page that lead nowhere inside the site."""
    found = links_of(page)
    for address in found.links + found.loads:
        if not address or is_outside(address) or urlparse(address).scheme:
            continue
        path, anchor = urldefrag(urljoin(page, address))
        target = unquote(urlparse(path).path) or page
        if not (SITE / target).is_file():
            yield f"{address}: no such file"
        elif anchor and target.endswith(".html") and unquote(anchor) not in links_of(target).ids | {"top"}:
            yield f"{address}: no such place on the page"


@pytest.mark.parametrize("page", PAGES)
def test_page_names_nothing_to_load_from_outside(page):
    assert [address for address in links_of(page).loads if is_outside(address)] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_internal_link_leads_somewhere(page):
    assert list(broken_links(page)) == []


def test_a_broken_link_is_found(tmp_path, monkeypatch):
    (tmp_path / "page.html").write_text(
        '<a href="gone.html">x</a> <a href="#gone">y</a> <a href="#here" id="here">z</a>'
    )
    monkeypatch.setattr(f"{__name__}.SITE", tmp_path)
    links_of.cache_clear()
    found = list(broken_links("page.html"))
    links_of.cache_clear()
    assert found == ["gone.html: no such file", "#gone: no such place on the page"]


# --- in the browser -------------------------------------------------------------------------------


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of the site, served on this machine while the tests of this file run."""
    handler = functools.partial(QuietHandler, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


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
        self.hosts.clear()
        self.errors.clear()
        self.page.goto(url)
        self.page.wait_for_load_state("networkidle")


@pytest.fixture(scope="module", params=SIZES)
def visit(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Visit]:
    width, height = SIZES[request.param]
    context = browser.new_context(viewport={"width": width, "height": height})
    yield Visit(context.new_page())
    context.close()


# Runs in the page: what a reader would see of these as a mistake.
PROBLEMS = """() => {
  const root = document.documentElement;
  const found = [];
  if (root.scrollWidth > window.innerWidth) found.push(`the page is ${root.scrollWidth} pixels wide`);
  for (const image of document.images) {
    if (!image.alt.trim()) found.push(`no alt text: ${image.src}`);
    if (!image.complete || !image.naturalWidth) found.push(`not shown: ${image.src}`);
  }
  for (const formula of document.querySelectorAll("mjx-merror, [data-mjx-error]")) {
    found.push(`broken formula: ${formula.textContent}`);
  }
  for (const formula of document.querySelectorAll(".math")) {
    if (!formula.querySelector("mjx-container")) found.push(`raw formula: ${formula.textContent}`);
  }
  return found;
}"""

# A change of scheme fades in, so this is waited for.
SHOWS_SCHEME = """(scheme) => {
  const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
  return (r + g + b) / 3 < 128 === (scheme === "dark");
}"""


@needs_browser
@pytest.mark.parametrize("page", PAGES)
def test_page_renders_quietly_in_both_colour_schemes(visit, address, page):
    visit.page.emulate_media(color_scheme="light")
    visit.open(f"{address}/{page}")
    if visit.page.locator(".math").count():
        visit.page.wait_for_function("window.MathJax?.startup?.promise")
        visit.page.evaluate("MathJax.startup.promise")
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme)
        visit.page.wait_for_function(SHOWS_SCHEME, arg=scheme, timeout=5_000)
        assert visit.page.evaluate(PROBLEMS) == []
    assert visit.hosts == {"127.0.0.1"}
    assert visit.errors == []


@needs_browser
def test_search_finds_a_chapter(visit, address):
    visit.open(f"{address}/search.html?q=hypernetwork")
    results = visit.page.locator("#search-results a")
    results.first.wait_for(timeout=15_000)
    assert any("hypernetworks" in (link.get_attribute("href") or "") for link in results.all())
    assert visit.errors == []


@needs_browser
def test_solutions_are_folded_until_asked_for(visit, address):
    visit.open(f"{address}/book/01_hypernetworks.html")
    solution = visit.page.locator("div.solution.dropdown").first
    content = solution.locator(".section, section, p:not(.admonition-title)").first
    assert not content.is_visible()
    solution.locator(".admonition-title").click(position={"x": 5, "y": 5})
    content.wait_for(state="visible", timeout=5_000)


def ratio_of(chunk_size: int) -> float:
    """The compression ratio of the chapter's example, as the package counts it."""
    target = TargetNetwork(MLP([64, 100, 100, 100]))
    hnet = HyperNetwork(target.num_weights, 16, (16, 16), chunk_size, 8)
    return hnet.compression_ratio(num_tasks=10)


@needs_browser
def test_the_chunk_slider_is_alive_with_no_kernel(visit, address):
    """By keyboard and by mouse, it says what the package counts, and the picture follows."""
    visit.open(f"{address}/book/03_chunking.html")
    slider, said = visit.page.get_by_role("slider", name="Chunk size"), visit.page.locator(".hnet-chunks output")
    slider.wait_for(timeout=20_000)
    picture = "document.querySelector('.hnet-chunks canvas').toDataURL()"
    seen = set()
    for move in (lambda: None, lambda: slider.press("ArrowLeft"), lambda: slider.click(position={"x": 200, "y": 10})):
        move()
        text = said.inner_text()
        chunk_size, ratio = re.fullmatch(r"([\d,]+) weights at a time.* compression ratio (\d+\.\d\d)\.", text).groups()
        assert float(ratio) == pytest.approx(ratio_of(int(chunk_size.replace(",", ""))), abs=0.0051)
        seen.add((text, visit.page.evaluate(picture)))
    assert len({text for text, _ in seen}) == len({data for _, data in seen}) == 3
    assert visit.errors == []
