"""Slides from chapters: headings, the first sentence of each paragraph, formulas, code and figures.

    python book/_ext/slides.py FOLDER REVEAL MATHJAX NOTEBOOK [NOTEBOOK ...]

REVEAL and MATHJAX are folders with these packages' files; they are copied beside the slides, which load nothing else.
The whole text goes into the speaker's notes (key S). A cell's `slideshow.slide_type`, where it has one, decides
instead: `skip`, `notes`, or how its slide begins.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

import nbformat
from nbconvert.exporters import SlidesExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from traitlets.config import Config

HERE = Path(__file__).parent
LEFT_OUT = ("Exercises", "Test yourself", "Notes on sources")
FULL = 12.5  # lines of text, about, that a slide takes
COLUMNS = 78  # letters of text on a line
PICTURE = 8.5  # the height of a picture
CODE = 0.66  # the height of a line of code, in lines of text
DIRECTIVE = re.compile(r"^(`{3,})\{([a-z:-]+)\}[ ]*(.*?)\n(.*?)^\1[ ]*$", re.DOTALL | re.MULTILINE)
OPTION = re.compile(r"^:([a-z]+): (.*)\n", re.MULTILINE)
SENTENCE = re.compile(r"^.*?(?<!Fig)(?<!Figs)(?<!Eq)(?<!Eqs)(?<!Sect)(?<!al)[.?!](?=\s|$)")


@dataclass
class Numbers:
    """The numbers that the book gives to formulas and figures of a chapter, by their labels."""

    of: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, notebook: NotebookNode) -> "Numbers":
        """Count labels in the order of the notebook."""
        formulas: list[str] = []
        figures: list[str] = []
        for cell in notebook.cells:
            formulas += re.findall(r"\{math\}\n:label: (\S+)", cell.source)
            figures += re.findall(r"\{figure\} \S+\n:name: (\S+)", cell.source)
            figures += [name] if (name := about(cell).get("figure", {}).get("name")) else []
        named = {name: f"({i})" for i, name in enumerate(formulas, start=1)}
        return cls(named | {name: f"Fig. {i}" for i, name in enumerate(figures, start=1)})

    def plain(self, text: str) -> str:
        """Text without the roles and links of the book."""
        text = re.sub(r"\s*\{cite:[pt]\}`[^`]*`", "", text)
        text = re.sub(r"\{(?:eq|numref)\}`([^`<]*)`", lambda m: self.of.get(m[1], ""), text)
        text = re.sub(r"\{(?:ref|prf:ref)\}`([^`<]*?)\s*<[^`]*>`", r"\1", text)
        text = re.sub(r"\{prf:ref\}`[^`]*`", "the lemma", text)
        return re.sub(r"(?<!!)\[([^\]]*)\]\([^)]*\)", r"\1", text)


def about(cell: NotebookNode) -> dict[str, dict[str, str]]:
    """What a cell says of its figure: caption, name, alt text."""
    return cell.metadata.get("mystnb", {})


@dataclass
class Deck:
    """The cells of the slides, in the making."""

    numbers: Numbers
    cells: list[NotebookNode] = field(default_factory=list)
    section: str = ""
    room: float = 0.0  # lines that are left on the slide

    def add(self, cell: NotebookNode, kind: str = "-") -> None:
        """A cell, and how it begins: slide, subslide, notes, or - for the slide there is."""
        cell.metadata["slideshow"] = {"slide_type": kind}
        self.cells.append(cell)

    def begin(self, title: str, level: int) -> None:
        """A new section, or the chapter itself."""
        self.section = title
        if title not in LEFT_OUT:
            self.add(new_markdown_cell(f"{'#' * level} {title}"), "slide")
            self.room = FULL - 5 / level  # a chapter's title is the larger one

    def make_room(self, lines: float) -> None:
        """Where they do not fit: a further slide of the section, which says so in small letters."""
        if lines > self.room:
            self.add(new_markdown_cell(f'<p class="section">{self.section}</p>'), "subslide")
            self.room = FULL - 1
        self.room -= lines

    def text(self, source: str) -> None:
        """What stands between two cells of code."""
        for part in re.split(r"(?m)^(?=##? )", source):
            heading = re.match(r"(##?) (.*)\n*", part)
            if heading:
                self.begin(heading[2], len(heading[1]))
            if self.section in LEFT_OUT:
                continue
            body = self.numbers.plain(part[heading.end() if heading else 0 :])
            for lines, block in blocks(body):
                self.make_room(lines)
                self.add(new_markdown_cell(block))
            if body.strip():
                self.add(new_markdown_cell(DIRECTIVE.sub("", body)), "notes")

    def code(self, cell: NotebookNode) -> None:
        """A cell of code and what it printed, or its figure and the caption, without the code."""
        given = cell.metadata.get("slideshow", {}).get("slide_type")
        if self.section in LEFT_OUT or given == "skip":
            return
        caption = about(cell).get("figure", {}).get("caption")
        cell.source = cell.source.removeprefix("# NBVAL_CHECK_OUTPUT\n")
        self.make_room(PICTURE + 0.75 * lines(caption) if caption else height(cell))
        if caption:
            cell.metadata.setdefault("tags", []).append("remove_input")
            describe(cell)
        self.add(cell)
        if caption:
            self.add(new_markdown_cell(f'<div class="origin">\n\n{self.numbers.plain(caption)}\n\n</div>'))


def height(cell: NotebookNode) -> float:
    """The lines that code and its printed output take."""
    printed = "".join(output.get("text", "") for output in cell.outputs)
    return 1.2 + CODE * (cell.source.count("\n") + 1 + printed.count("\n"))


def describe(cell: NotebookNode) -> None:
    """Give the pictures of a cell its alt text, where nbconvert looks for it."""
    for output in cell.outputs:
        for mime in output.get("data", {}):
            output.metadata[mime] = {"alt": about(cell)["image"]["alt"]}


def blocks(body: str) -> Iterator[tuple[float, str]]:
    """What a slide shows of a text, piece by piece, with the lines that it takes."""
    place = 0
    for found in DIRECTIVE.finditer(body):
        yield from paragraphs(body[place : found.start()])
        yield from directive(found[2], found[3], found[4])
        place = found.end()
    yield from paragraphs(body[place:])


def directive(kind: str, argument: str, body: str) -> Iterator[tuple[float, str]]:
    """Formulas, drawings and lemmas are shown. Of the box at the head of a chapter, what one will learn."""
    options, content = dict(OPTION.findall(body)), OPTION.sub("", body).strip()
    if kind == "math":
        yield formula(f"$$\n{content}\n$$")
    elif kind == "figure":
        alt = options["alt"].replace('"', "'")
        yield PICTURE + 0.75 * lines(content), f"![{alt}]({argument})\n\n<div class='origin'>\n\n{content}\n\n</div>"
    elif kind == "prf:lemma":
        yield lines(content), f"**{argument}.** {content}"
    elif kind == "admonition" and argument == "In this chapter":
        goals = content.partition("\n\n")[0]
        yield lines(goals), goals


def paragraphs(text: str) -> Iterator[tuple[float, str]]:
    """Lists, formulas and terms as they are; of a paragraph its first sentence."""
    for paragraph in re.split(r"\n{2,}", text.strip()):
        if paragraph.startswith("$$"):
            yield formula(paragraph)
        elif re.match(r"[-*] |1\. ", paragraph):
            for item in re.split(r"\n(?=[-*] |\d+\. )", paragraph):
                yield lines(item), item
        elif term := re.match(r"(.*)\n: (.*)", paragraph, re.DOTALL):
            yield lines(first_sentence(term[2])), f"{term[1]}: {first_sentence(term[2])}"
        elif paragraph and not paragraph.startswith(("(", "<")):
            yield lines(first_sentence(paragraph)), first_sentence(paragraph)


def lines(text: str) -> float:
    """The height of a paragraph; a command of TeX is about as wide as one or two letters."""
    return 0.6 + ceil(len(re.sub(r"\\[A-Za-z]+|[{}^_$]", "o", text)) / COLUMNS)


def formula(text: str) -> tuple[float, str]:
    """A displayed formula and its height."""
    return 2.0 + 1.3 * text.count("\\\\") + 0.6 * ("\\frac" in text or "\\sum" in text), text


def first_sentence(paragraph: str) -> str:
    """Up to the first full stop that ends a sentence."""
    plain = re.sub(r"\s*\n\s*", " ", paragraph)
    found = SENTENCE.match(plain)
    return found[0] if found else plain


def slides(notebook: NotebookNode) -> NotebookNode:
    """The notebook of the slides. A still picture takes the place of a widget."""
    deck = Deck(Numbers.read(notebook))
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            deck.text(cell.source)
        elif not any("widget-view" in mime for output in cell.outputs for mime in output.get("data", {})):
            deck.code(cell)
    ended = NotebookNode({**notebook, "cells": deck.cells})
    ended.metadata = NotebookNode({"title": deck.cells[0].source.removeprefix("# ")})
    return ended


def write(notebook: Path, folder: Path) -> None:
    """FOLDER/NAME.html, with its pictures in it."""
    config = Config()
    config.SlidesExporter.extra_template_basedirs = [str(HERE)]
    config.SlidesExporter.template_name = "reveal_offline"
    config.SlidesExporter.embed_images = True
    config.SlidesExporter.reveal_url_prefix = "vendor/reveal"
    config.SlidesExporter.reveal_theme = "white"
    config.TagRemovePreprocessor = Config(enabled=True, remove_input_tags={"remove_input"})
    exporter = SlidesExporter(config=config)
    deck = slides(nbformat.read(notebook, as_version=4))
    body, _ = exporter.from_notebook_node(deck, {"metadata": {"name": notebook.stem, "path": str(notebook.parent)}})
    (folder / f"{notebook.stem}.html").write_text(body, encoding="utf-8")


def main(folder: Path, reveal: Path, mathjax: Path, notebooks: list[Path]) -> None:
    vendor = folder / "vendor"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(mathjax, vendor / "mathjax")
    shutil.copytree(reveal / "plugin" / "notes", vendor / "reveal" / "plugin" / "notes")
    shutil.copytree(reveal / "dist", vendor / "reveal" / "dist", ignore=shutil.ignore_patterns("*.map", "*.esm.js"))
    for notebook in notebooks:
        write(notebook, folder)
        print(folder / f"{notebook.stem}.html")


if __name__ == "__main__":
    out, reveal_files, mathjax_files, *chapters = map(Path, sys.argv[1:])
    main(out, reveal_files, mathjax_files, chapters)
