"""Print the built site, page after page in the order of the contents, into one PDF.

    python book/_ext/print_book.py SITE PDF

A browser prints, so formulas and figures are those of the site. On paper nothing can be unfolded: hints, solutions and
folded code are printed open, and a still picture stands in for each widget that has one.
"""

import functools
import http.server
import io
import shutil
import sys
import threading
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import Page, PdfMargins, sync_playwright
from pypdf import PdfReader, PdfWriter

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = "https://hnetlib.github.io/hnetlib-book/"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((path for path in map(shutil.which, BROWSERS) if path), None)
MARGIN: PdfMargins = {"top": "18mm", "bottom": "20mm", "left": "18mm", "right": "18mm"}

# Unfold everything, load what would load late, and let links to other pages lead to the published ones.
PREPARE = """(published) => {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  for (const fold of document.querySelectorAll(".toggle-hidden")) fold.classList.remove("toggle-hidden");
  for (const picture of document.images) picture.loading = "eager";
  for (const link of document.links) {
    if (link.origin !== location.origin || link.pathname === location.pathname) continue;
    link.href = published + link.pathname.slice(1) + link.hash;
  }
  return Promise.all([...document.images].map((picture) => picture.decode().catch(() => null))).then(() => null);
}"""

COVER = """<html lang="en"><title>{title}</title><body style="font-family:'Liberation Sans',Arial,sans-serif">
<div style="padding-top:60mm">{logo}</div>
<h1 style="font-size:34pt;line-height:1.15;margin:12mm 0 4mm">{title}</h1>
<p style="font-size:14pt">An executable book. Version {version}.</p>
<p style="font-size:11pt;margin-top:70mm">{author}. Text and figures: CC BY 4.0. Code: MIT.<br>{address}</p>"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder, served on this machine for as long as the context lasts."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


def pages_in_order(toc: dict[str, Any]) -> list[str]:
    """The names of the pages in a jb-book table of contents, the root first."""
    parts = [toc, *toc.get("parts", [])]
    return [toc["root"], *(chapter["file"] for part in parts for chapter in part.get("chapters", []))]


def printed(tab: Page, address: str, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Title and PDF of each page."""
    for name in names:
        tab.goto(f"{address}/{name}.html", wait_until="networkidle")
        if tab.locator(".math").count():
            tab.wait_for_function("window.MathJax?.startup?.promise")
            tab.evaluate("MathJax.startup.promise.then(() => null)")
        tab.evaluate(PREPARE, PUBLISHED)
        title = tab.locator("h1").first.inner_text().removesuffix("#").strip()
        yield title, tab.pdf(format="A4", margin=MARGIN, outline=True, tagged=True)


def cover(tab: Page) -> bytes:
    """The first page, as PDF."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    logo = f"<div style='width:60mm'>{(ROOT / config['logo']).read_text(encoding='utf-8')}</div>"
    about = {"title": config["title"], "author": config["author"], "address": PUBLISHED}
    tab.set_content(COVER.format(version=version, logo=logo, **about))
    return tab.pdf(format="A4", margin=MARGIN)


def number_pages(tab: Page, writer: PdfWriter) -> None:
    """Write its number at the foot of every page but the cover."""
    sheet = "<div style='height:297mm;position:relative;page-break-after:always'><span {}>{}</span></div>"
    style = "style='position:absolute;bottom:9mm;left:0;right:0;text-align:center;font:9pt Liberation Sans,sans-serif'"
    numbers = "".join(sheet.format(style, n + 1 if n else "") for n in range(len(writer.pages)))
    tab.set_content(
        f"<style>@page {{margin:0}} body {{margin:0}} div:last-child {{break-after:avoid}}</style>{numbers}"
    )
    stamps = PdfReader(io.BytesIO(tab.pdf(format="A4"))).pages
    for page, stamp in zip(writer.pages, stamps, strict=False):
        page.merge_page(stamp)


def print_book(site: Path, target: Path) -> int:
    """Print the site in `site` to the file `target`; returns the number of pages."""
    if CHROMIUM is None:
        raise SystemExit("make pdf prints with Chromium or Chrome: install one first.")
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    writer = PdfWriter()
    with served(site) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(color_scheme="light")
        writer.append(io.BytesIO(cover(tab)))
        for title, pdf in printed(tab, address, pages_in_order(toc)):
            writer.append(io.BytesIO(pdf), outline_item=title)
        number_pages(tab, writer)
        browser.close()
    writer.compress_identical_objects()
    partial = target.with_suffix(".partial")
    writer.write(partial)
    partial.replace(target)
    return len(writer.pages)


if __name__ == "__main__":
    print(f"{print_book(Path(sys.argv[1]), Path(sys.argv[2]))} pages in {sys.argv[2]}")
