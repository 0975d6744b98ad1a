"""Slides of two chapters, made anew and opened from the disk: no network, no server."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from browser import ROOT, needs_browser
from nbformat.v4 import new_markdown_cell
from playwright.sync_api import Browser, Page
from slides import Deck, Numbers, first_sentence, slides

REVEAL, MATHJAX = ROOT / "node_modules" / "reveal.js", ROOT / "book" / "_vendor" / "vendor" / "mathjax"
CHAPTERS = ("01_hypernetworks", "02_output_regularizer")


def deck_of(source: str) -> list[tuple[str, str]]:
    """Kind and text of the cells made from one markdown cell."""
    deck = Deck(Numbers({"eq-two": "(2)"}))
    deck.text(source)
    return [(cell.metadata.slideshow.slide_type, cell.source) for cell in deck.cells]


def test_a_sentence_does_not_end_at_an_abbreviation() -> None:
    text = "As in the paper's Fig. 2 and Eq. 1,\nit holds. The rest is for the notes."
    assert first_sentence(text) == "As in the paper's Fig. 2 and Eq. 1, it holds."


def test_text_becomes_a_heading_first_sentences_and_notes() -> None:
    made = deck_of("## Why\n\nBecause {eq}`eq-two` says so {cite:p}`a`. And more.\n\n- one\n- two")
    assert made[:2] == [("slide", "## Why"), ("-", "Because (2) says so.")]
    assert [text for kind, text in made if kind == "-"][1:] == ["- one", "- two"]
    assert made[-1][0] == "notes" and "And more." in made[-1][1]


def test_exercises_quiz_and_sources_are_left_out() -> None:
    assert deck_of("## Exercises\n\nTry.") == deck_of("## Test yourself\n\nAsk.") == []


def test_a_text_that_is_too_long_for_a_slide_goes_on_on_the_next() -> None:
    made = deck_of("## Long\n\n" + "\n\n".join(f"Sentence {i}." for i in range(12)))
    assert [kind for kind, _ in made].count("subslide") >= 1


def chapter(name: str) -> tuple[nbformat.NotebookNode, list[str]]:
    """A chapter, and the captions of its computed figures."""
    notebook = nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4)
    return notebook, [c.metadata.mystnb.figure.caption for c in notebook.cells if "mystnb" in c.metadata]


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_figure_of_the_chapter_is_on_a_slide_with_its_caption(name: str) -> None:
    notebook, captions = chapter(name)
    text = "\n".join(cell.source for cell in slides(notebook).cells)
    assert captions and all(caption.rpartition("(")[2] in text for caption in captions)
    assert not re.search(r"\{(?:cite|ref|numref|eq|prf:ref)[:a-z]*\}`", text), "markup of the book is left"


def test_a_title_is_needed_by_nobody_twice() -> None:
    notebook = nbformat.v4.new_notebook(cells=[new_markdown_cell("# Title\n\nText.")])
    assert slides(notebook).metadata.title == "Title"


# --- in the browser ---------------------------------------------------------------------------------------------------

needs_packages = pytest.mark.skipif(
    not (REVEAL.is_dir() and MATHJAX.is_dir()), reason="reveal.js or MathJax is not here: run `make vendor`."
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The slides as `make slides` writes them."""
    out = tmp_path_factory.mktemp("made") / "slides"
    notebooks = [ROOT / "book" / f"{name}.ipynb" for name in CHAPTERS]
    subprocess.run([sys.executable, "book/_ext/slides.py", out, REVEAL, MATHJAX, *notebooks], cwd=ROOT, check=True)
    return out


# Runs on each slide: what an audience would see of it as a mistake.
MISTAKES = """() => {
  const slide = Reveal.getCurrentSlide(), found = [];
  if (slide.scrollHeight > 790 || slide.scrollWidth > 1210) found.push(`too large: ${slide.scrollHeight}`);
  if (slide.querySelector("mjx-merror")) found.push("a broken formula");
  const text = slide.cloneNode(true);
  for (const part of text.querySelectorAll("pre, aside, mjx-container")) part.remove();
  if (/\\$|\\{[a-z:]+\\}`/.test(text.textContent)) found.push(`raw markup: ${text.textContent.trim().slice(0, 80)}`);
  for (const image of slide.querySelectorAll("img"))
    if (!image.naturalWidth || image.clientHeight < 100 || image.alt.length < 40) found.push(`a picture: ${image.alt}`);
  return found;
}"""


@needs_browser
@needs_packages
@pytest.mark.parametrize("name", CHAPTERS)
def test_slides_render_from_the_disk_and_nothing_is_too_large(folder: Path, browser: Browser, name: str) -> None:
    page, errors, asked = browser.new_page(viewport={"width": 1200, "height": 780}), list[str](), set[str]()
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.add(request.url.partition(":")[0]))
    page.goto((folder / f"{name}.html").as_uri())
    page.wait_for_function("window.Reveal?.isReady() && window.MathJax?.startup?.promise")
    page.evaluate("MathJax.startup.promise")
    seen = walk(page)
    assert asked <= {"file", "data", "blob"} and errors == []
    assert len(seen) > 25 and sum(seen) >= len(chapter(name)[1]), "slides are missing, or pictures"
    page.close()


def walk(page: Page) -> list[int]:
    """Show every slide and look at it; the number of pictures on each."""
    pictures = []
    while True:
        assert page.evaluate(MISTAKES) == []
        pictures.append(page.evaluate("Reveal.getCurrentSlide().querySelectorAll('img').length"))
        if page.evaluate("Reveal.isLastSlide()"):
            return pictures
        page.evaluate("Reveal.next()")
