"""The printed book: every chapter in its order, stills in place of widgets, fonts inside, pages numbered."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import print_book as printing
import pytest
import yaml
from browser import ROOT, SITE, needs_browser, needs_site
from pypdf import PageObject, PdfReader

pytestmark = [needs_site, needs_browser]
NAMES = printing.pages_in_order(yaml.safe_load((ROOT / "_toc.yml").read_text()))


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PdfReader:
    target = tmp_path_factory.mktemp("print") / "book.pdf"
    command: list[str | Path] = [sys.executable, ROOT / "book" / "_ext" / "print_book.py", SITE, target]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # with a browser of its own
    reader = PdfReader(target)
    assert said.startswith(f"{len(reader.pages)} pages")
    return reader


def heading(name: str) -> str:
    html = (SITE / f"{name}.html").read_text(encoding="utf-8")
    found = re.search(r'<h1>((?:(?!<h1>).)*?)<a class="headerlink"', html, re.DOTALL)  # not the theme's, for print
    assert found
    return re.sub(r'<span class="section-number">.*?</span>|<[^>]+>|\s', "", found[1])


def fonts(page: PageObject) -> Iterator[tuple[str, bool]]:
    """The fonts of a page by name, each with whether its glyphs are in the file."""
    for reference in page["/Resources"].get_object().get("/Font", {}).values():  # type: ignore[union-attr]
        font = reference.get_object()
        inner = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
        about = inner.get("/FontDescriptor", {})
        inside = font["/Subtype"] == "/Type3" or any(f"/FontFile{kind}" in about for kind in ("", "2", "3"))
        yield str(font.get("/BaseFont", font["/Subtype"])), inside


def test_every_page_of_the_contents_is_printed_in_its_order(book: PdfReader) -> None:
    marks = [mark for mark in book.outline if not isinstance(mark, list)]
    assert [re.sub(r"\s", "", str(mark.title)) for mark in marks] == [heading(name) for name in NAMES]
    starts = [book.get_destination_page_number(mark) or 0 for mark in marks]
    assert starts == sorted(set(starts)) and starts[0] == 1, "the cover, and then each on a page of its own"
    for start, name in zip(starts, NAMES, strict=True):
        printed = re.sub(r"\s", "", book.pages[start].extract_text())
        assert heading(name) in printed
    assert len(book.pages) > 10 * sum(name[5:7].isdigit() for name in NAMES), "a chapter is no less than ten pages"


def test_pages_are_numbered_and_carry_their_fonts(book: PdfReader) -> None:
    for number in range(2, len(book.pages) + 1, 23):  # some of them: reading a page takes a third of a second
        assert book.pages[number - 1].extract_text().split()[-1] == str(number)
    known = dict(font for page in book.pages for font in fonts(page))
    assert len(known) >= 3, "serif, sans and mono"
    assert [name for name, inside in known.items() if not inside] == []


def test_stills_stand_in_for_widgets_and_folded_code_is_open(book: PdfReader) -> None:
    welcome = "".join(page.extract_text() for page in book.pages[1:12])
    assert "What the player above shows in the end" in welcome
    assert "permuted(load_images" in welcome, "code that is folded on the site"
    assert "Play" not in welcome.split("What the player above shows")[0].split("Hide the code")[-1]


def test_no_address_of_this_machine_is_printed(book: PdfReader) -> None:
    links = [
        annotation.get_object().get("/A", {}).get("/URI", "")
        for page in book.pages
        for annotation in page.get("/Annots", [])
    ]
    assert any(str(link).startswith(printing.PUBLISHED) for link in links)
    assert [link for link in links if "127.0.0.1" in str(link)] == []
