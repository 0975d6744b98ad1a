"""Every page of the built site in a real browser, on a desktop and on a phone, light and dark.

A page is loaded once for each width, and the scheme is changed under it; everything is looked at on the way, and the
screenshots are kept in _build/screenshots. Budgets are those by which Lighthouse calls a page good.
"""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from browser import AXE, PAGES, ROOT, SHOWS_SCHEME, SIZES, Visit, needs_browser, needs_site
from playwright.sync_api import Browser

pytestmark = [needs_site, needs_browser]

SCREENSHOTS = ROOT / "_build" / "screenshots"
LARGEST_PAGE = 2_000_000  # bytes of what is the page's own; scripts, styles and fonts are shared by all pages
MOST_BLOCKING = 13  # style sheets and scripts that the first sight of a page waits for
LARGEST_SHIFT = 0.1  # a Cumulative Layout Shift up to this is good

# Runs in the page before anything of it: adds up how far what one sees is moved by what comes later.
WATCH_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""

# What a reader would see as a mistake.
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
  for (const formula of document.querySelectorAll("span.math")) {
    const next = formula.nextSibling;
    if (next?.nodeType !== Node.TEXT_NODE || !/^[,.;:)?!]/.test(next.data)) continue;
    const [mark, boxes] = [document.createRange(), formula.getClientRects()];
    mark.setStart(next, 0);
    mark.setEnd(next, 1);
    const here = mark.getBoundingClientRect();
    if (here.width && here.left < boxes[boxes.length - 1].right - 1) found.push(`a line begins with: ${next.data}`);
  }
  return found;
}"""

# What the page cost: its own bytes, how many files the first sight of it waited for, and how far things moved.
COSTS = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const loaded = performance.getEntriesByType("resource");
  const own = loaded.filter((file) => !file.name.includes("/_static/"));
  return {
    bytes: page.decodedBodySize + own.reduce((sum, file) => sum + file.decodedBodySize, 0),
    blocking: loaded.filter((file) => file.renderBlockingStatus === "blocking").length,
    shift: window.shifted,
  };
}"""

# A block of code or a formula whose kinds of tokens another one on the page has shown has the same colours: axe, which
# looks at every letter of them, may pass it over.
MARK_ALIKE = """() => {
  const seen = new Set();
  for (const block of document.querySelectorAll(".highlight pre, mjx-container")) {
    const place = block.tagName + Boolean(block.closest(".cell_input"));
    const kinds = [...block.querySelectorAll("*")].map((part) => place + part.tagName + part.className);
    if (kinds.length && kinds.every((kind) => seen.has(kind))) block.setAttribute("data-alike", "");
    kinds.forEach((kind) => seen.add(kind));
  }
}"""

COLOURS = ["color-contrast", "link-in-text-block"]  # all else is the same in both schemes
RUN_AXE = """async (only) => {
  const wanted = { resultTypes: ["violations"], ...(only && { runOnly: only }) };
  const result = await axe.run({ exclude: [["[data-alike]"]] }, wanted);
  const grave = result.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return grave.map(({ id, help, nodes }) => `${id}: ${help}: ` + nodes.map((node) => node.html).join(" "));
}"""


@pytest.fixture(scope="module", params=SIZES)
def visit(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Visit]:
    width, height = SIZES[request.param]
    context = browser.new_context(viewport={"width": width, "height": height})
    context.add_init_script(WATCH_SHIFTS)
    yield Visit(context.new_page())
    context.close()


def keep_screenshot(visit: Visit, page: str, scheme: str) -> None:
    """The whole page at half its size, as a picture in _build/screenshots."""
    session = visit.page.context.new_cdp_session(visit.page)
    size = session.send("Page.getLayoutMetrics")["cssContentSize"]
    clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 0.5}
    wanted: dict[str, Any] = {"format": "jpeg", "quality": 60, "captureBeyondViewport": True, "clip": clip}
    shown = session.send("Page.captureScreenshot", wanted)
    session.detach()
    width = visit.page.viewport_size["width"] if visit.page.viewport_size else 0
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    name = f"{page.removesuffix('.html').replace('/', '-')}-{width}-{scheme}.jpeg"
    (SCREENSHOTS / name).write_bytes(base64.b64decode(shown["data"]))


@pytest.mark.parametrize("page", PAGES)
def test_page_is_sound_at_this_width_in_both_colour_schemes(visit: Visit, address: str, page: str) -> None:
    visit.page.emulate_media(color_scheme="light")
    visit.open(f"{address}/{page}")
    costs = visit.page.evaluate(COSTS)
    assert costs["bytes"] < LARGEST_PAGE
    assert costs["blocking"] <= MOST_BLOCKING
    assert costs["shift"] <= LARGEST_SHIFT
    visit.page.evaluate(AXE.read_text(encoding="utf-8") + ";0")
    visit.page.evaluate(MARK_ALIKE)
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme)
        visit.page.wait_for_function(SHOWS_SCHEME, arg=scheme, timeout=10_000)
        assert visit.page.evaluate(PROBLEMS) == []
        assert visit.page.evaluate(RUN_AXE, COLOURS if scheme == "dark" else None) == []
        keep_screenshot(visit, page, scheme)
    assert visit.hosts == {"127.0.0.1"}
    assert visit.errors == []


def test_the_idea_stands_above_the_fold(visit: Visit, address: str) -> None:
    """The player's matrix and the button that moves it are on the first screen of the welcome page."""
    visit.open(f"{address}/book/intro.html")
    player = visit.page.locator(".hnet-forgetting")
    player.wait_for(timeout=20_000)
    matrix = player.get_by_role("img", name="Accuracy matrix").bounding_box()
    play = player.get_by_role("button", name="Play").bounding_box()
    height = visit.page.evaluate("window.innerHeight")
    assert matrix and play
    assert 0 < play["y"] < matrix["y"] and matrix["y"] + matrix["height"] <= height


def test_a_page_that_breaks_the_rules_is_found_out(browser: Browser) -> None:
    tab = browser.new_page()
    tab.set_content(
        "<html lang=en><title>t</title><main><h1>x</h1><img src='data:,' alt=' '><p style='color:#ccc'>pale</p>"
        "<div style='width:3000px'>wide</div><p style='width:9px'><span class=math><mjx-container "
        "style='display:inline-block'>x</mjx-container></span>, c</p></main></html>"
    )
    tab.evaluate(AXE.read_text(encoding="utf-8") + ";0")
    found = tab.evaluate(PROBLEMS)
    wanted = ["the page is 3008 pixels wide", "no alt text", "not shown", "a line begins with"]
    assert [problem.split(":")[0] for problem in found] == wanted
    assert [problem.split(":")[0] for problem in tab.evaluate(RUN_AXE)] == ["color-contrast", "image-alt"]
    tab.close()
