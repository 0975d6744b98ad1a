"""The lines that a search quotes, from one script.

Sphinx's search fetches every page that it found, to quote it. Browsers refuse that to a page that was opened from a
disk, and what it would quote begins with the buttons above each page. So one script holds the text of all pages.
"""

import json
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from sphinx.application import Sphinx

MUTE = "script, style, svg, nav, .headerlink"


def quotable(html: str) -> str:
    """The text of a page in what the search looks into: sections with their ids, in an element of the role `main`."""
    main = BeautifulSoup(html, "html.parser").select_one("[role=main] article")
    if main is None:
        return ""
    for part in main.select(MUTE):
        part.decompose()
    for part in main.find_all(True):
        if part.name == "section":
            part.attrs = {"id": str(part.get("id", ""))}
        else:
            part.append({"dt": ": ", "p": " ", "li": " "}.get(part.name, ""))  # words of two lines stay two words
            part.unwrap()
    return f'<div role="main">{" ".join(main.decode_contents().split())}</div>'


def write_texts(app: Sphinx, error: Exception | None) -> None:
    """Write the script with the text of every page, which only the search page loads."""
    if error is not None or app.builder.format != "html":
        return
    site = Path(app.outdir)
    texts = {name: quotable((site / f"{name}.html").read_text(encoding="utf-8")) for name in sorted(app.env.found_docs)}
    script = f"window.pageTexts({json.dumps(texts, ensure_ascii=False)});\n"
    (site / "_static" / "page_texts.js").write_text(script, encoding="utf-8")


def load_on_search(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Have the search page, and no other, answer its own requests for pages."""
    if page == "search":
        app.add_js_file("search_texts.js", priority=100)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", load_on_search)
    app.connect("build-finished", write_texts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
