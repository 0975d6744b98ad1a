"""What the pages need and jupyter-book does not bring: a site that loads nothing from outside, and alt text everywhere.

A local Sphinx extension, named in _config.yml under `sphinx: local_extensions`.
"""

import os
import platform
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anywidget
import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from hnetlib.experiments.record import processor

LOGGER = logging.getLogger(__name__)

SHOWN_PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "scikit-learn",
    "matplotlib",
    "jupyter-book",
    "myst-nb",
    "sphinx",
    "hnetlib",
)
ROOT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
FRESH = "hnet_read_by_every_build"  # in the metadata of a page: what it shows may change where its text does not
HTML_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
HTML_ALT = re.compile(r"""\salt\s*=\s*(?:"\s*[^"\s]|'\s*[^'\s]|[^\s"'>])""", re.IGNORECASE)
SVG_WIDTH = re.compile(r'<svg\b[^>]*? width="([\d.]+)pt"')
WIDE = 575  # points: about what a page of text has on a desktop
FORMULA = r'<span class="math notranslate nohighlight">[^<]*</span>'
# What the theme and docutils get wrong in every page that they write: a list whose children are no items; a role for no
# such element; a button whose name leaves out what is written on it; a figure that scrolls, but not by keyboard;
# scripts that hold up the first sight; lines that begin with a comma.
MENDED = (
    (re.compile(r' role="(?:list|doc-biblioentry)"(?= class="citation)'), ""),
    (re.compile(r'(<div class="citation"[^>]*?) role="doc-biblioentry"'), r"\1"),
    (re.compile(r'(<button class="btn search-button-field[^>]*?) aria-label="[^"]*"'), r"\1"),
    (re.compile(r'(<summary) aria-label="Toggle hidden content"'), r"\1"),  # its text is its name
    (re.compile(r'<figure (?=[^>]*>\s*<img [^>]*class="wide")'), '<figure tabindex="0" '),  # it scrolls on a phone
    # A line must not break between a formula and its bracket or comma.
    (re.compile(rf"[(\[]?{FORMULA}[,.;:)\]?!]+|[(\[]{FORMULA}"), r'<span class="unbroken">\g<0></span>'),
    (re.compile(r"(?<=\d) × (?=\d)"), "\u00a0×\u00a0"),  # nor within 8 × 8
    (re.compile("✅"), "✓"),  # a sign of success that not every machine has in its fonts
    (re.compile(r'<script (src="[^"]*(?:searchtools|language_data|searchindex)\.js)'), r"<script defer \1"),
)
# The one script of the head that must run where it stands: the lines after it speak to it. The others wait in turn.
PROMPT = "documentation_options.js"
# myst-nb numbers the lines of a notebook cell by cell, ten thousand lines each.
LINES_PER_CELL = 10_000


class BuildVersions(SphinxDirective):
    """`{build-versions}`: a table of the versions that this build ran with."""

    def run(self) -> list[nodes.Node]:
        self.env.metadata[self.env.docname][FRESH] = True
        rows = [("Python", platform.python_version())]
        rows += [(name, version(name)) for name in SHOWN_PACKAGES]
        rows += [("Operating system", f"{platform.system()} on {platform.machine()}")]
        rows += [("Processor", f"{processor()}, {os.cpu_count()} cores, one thread a chapter unless set otherwise")]
        rows += [("Tier of the live cells", os.environ.get("HNET_TIER", "quick"))]
        return [_table(("What", "Version"), rows)]


class CiteThis(SphinxDirective):
    """`{cite-this}`: BibTeX entries for the book and for the paper, made from CITATION.cff."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(ROOT / "CITATION.cff"))
        about = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
        paper = about["preferred-citation"]
        book = {"version": about["version"], "url": about["repository-code"]}
        where = {
            "booktitle": paper["conference"]["name"],
            "year": str(paper["year"]),
            "note": paper["identifiers"][0]["value"],
        }
        entries = [_bibtex("misc", "hnetlib", about, book), _bibtex("inproceedings", "oswald2020", paper, where)]
        block = nodes.literal_block("", "\n\n".join(entries), language="bibtex")
        return [block]


def _bibtex(kind: str, key: str, about: dict[str, Any], more: dict[str, str]) -> str:
    """One entry; `about` is in the form of CITATION.cff."""
    fields = {"title": f"{{{about['title']}}}", "author": " and ".join(map(_author, about["authors"])), **more}
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])


def _author(person: dict[str, str]) -> str:
    """A person, or a group, as BibTeX writes it."""
    if "name" in person:
        return f"{{{person['name']}}}"
    family = f"{person.get('name-particle', '')} {person['family-names']}".strip()
    return f"{family}, {person['given-names']}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> nodes.table:
    """A plain docutils table with one header row."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in header), cols=len(header))
    group += nodes.thead("", _row(header))
    group += nodes.tbody("", *(_row(row) for row in rows))
    return nodes.table("", group, classes=["colwidths-auto"])


def _row(cells: Sequence[str]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph(text=cell)) for cell in cells))


def reread(app: Sphinx, env: BuildEnvironment, *changes: set[str]) -> Iterable[str]:
    """Versions belong to a build, records and sources may be new: such pages are read again."""
    return [name for name, data in env.metadata.items() if FRESH in data]


def require_alt_text(app: Sphinx, doctree: nodes.document) -> None:
    """Warn (and so, under -W, fail) for every image that a screen reader could not describe."""
    for node in images_without_alt(doctree):
        place = _place(node)
        LOGGER.warning(
            "an image without alt text%s: give its cell the metadata mystnb.image.alt, or the image an alt text",
            f" in cell {place}" if place is not None else "",
            location=app.env.docname,
            type="hnet_book",
            subtype="alt",
        )


def mark_wide(app: Sphinx, doctree: nodes.document) -> None:
    """Give figures too small for a phone the class `wide`: there they keep their size, and can be moved."""
    for image in doctree.findall(nodes.image):
        file = Path(app.srcdir, image["uri"])
        if file.suffix == ".svg" and (width := SVG_WIDTH.search(file.read_text(encoding="utf-8"))):
            image["classes"] += ["wide"] * (float(width[1]) > WIDE)


def images_without_alt(doctree: nodes.document) -> Iterator[nodes.Element]:
    for image in doctree.findall(nodes.image):
        if not image.get("alt", "").strip():
            yield image
    for raw in doctree.findall(nodes.raw):
        if any(not HTML_ALT.search(tag) for tag in HTML_IMAGE.findall(raw.astext())):
            yield raw


def _place(node: nodes.Node | None) -> int | None:
    """The number (from 0) of the notebook cell that holds a node; None outside notebooks."""
    while node is not None:
        if isinstance(node, nodes.Element) and "cell_index" in node:
            return int(node["cell_index"])
        node = node.parent
    return None


def keep_what_is_needed(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Drop thebe, whose loader names an outside host, and scripts that two extensions registered twice; defer many."""
    seen: set[str] = set()
    kept = []
    for script in context.get("script_files", []):
        body = (getattr(script, "attributes", None) or {}).get("body") or ""
        name = body or str(getattr(script, "filename", script))
        if name in seen or "THEBE_JS_URL" in body or "sphinx-thebe.js" in name:
            continue
        seen.add(name)
        kept.append(script)
        if not body and PROMPT not in name:
            script.attributes["defer"] = "defer"
    context["script_files"][:] = kept
    styles = context.get("css_files", [])
    styles[:] = [style for style in styles if "thebe" not in str(getattr(style, "filename", style))]


def set_theme_options(app: Sphinx, config: Any) -> None:
    """Single options only: `html_theme_options` in _config.yml would wipe those that jupyter-book sets."""
    config.html_theme_options["navbar_persistent"] = []
    config.html_theme_options["show_toc_level"] = 2
    config.html_theme_options["extra_footer"] = f"Version {VERSION}"
    config.html_theme_options["logo"] = {
        "text": "Continual learning with hypernetworks",
        "alt_text": "Home",
    }


def mend_pages(app: Sphinx, error: Exception | None) -> None:
    """Put right in the finished pages what no option of the theme changes; see MENDED."""
    if error is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        mended = text
        for wrong, right in MENDED:
            mended = wrong.sub(right, mended)
        if mended != text:
            path.write_text(mended, encoding="utf-8")


def finish_scripts(app: Sphinx, error: Exception | None) -> None:
    """Put the browser half of the installed anywidget in its place, and take out a script that nothing needs."""
    if error is not None or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    source = Path(anywidget.__file__).parent / "nbextension" / "index.js"
    folder = static / "vendor" / "anywidget"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.js").write_bytes(source.read_bytes())
    # The theme's style sheet draws every icon from a font; the script would draw them again, for 1.5 MB a page.
    icons = static / "scripts" / "fontawesome.js"
    icons.write_text("// The icons come from the style sheet's fonts.\n", encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("build-versions", BuildVersions)
    app.add_directive("cite-this", CiteThis)
    app.add_css_file("custom.css", priority=900)
    app.connect("config-inited", set_theme_options)
    app.connect("env-get-outdated", reread)
    app.connect("doctree-read", require_alt_text)
    app.connect("doctree-read", mark_wide)
    app.connect("html-page-context", keep_what_is_needed, priority=900)
    app.connect("build-finished", finish_scripts)
    app.connect("build-finished", mend_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
