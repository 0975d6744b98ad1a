"""Where the chapters show what: read from the committed notebooks, so that no link is typed."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from docutils.nodes import make_id

BOOK = Path(__file__).parents[1]
FIGURE = re.compile(r"^```\{(?:figure|prf:proposition)\}(?P<rest>.*?)^```", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"^:(?:name|label): (\S+)", re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Place:
    """Somewhere in a chapter."""

    document: str  # its name, without folder and ending
    title: str
    anchor: str
    text: str = ""  # of a figure: its caption; of an output: its Markdown; of a block of text: all of it

    @property
    def address(self) -> str:
        """From a page beside the chapters."""
        return f"{self.document}.html#{self.anchor}"


@cache
def places() -> tuple[tuple[Place, ...], tuple[Place, ...], tuple[Place, ...]]:
    """Of all chapters: figures and propositions; tables that cells print; blocks of text."""
    figures, tables, texts = [], [], []
    for path in sorted(BOOK.glob("[0-9]*.ipynb")):
        title = anchor = ""
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                headings = HEADING.findall(CODE.sub("", source))
                title = title or headings[0]
                anchor = make_id(headings[-1]) if headings else anchor
                texts.append(Place(path.stem, title, make_id(headings[0]) if headings else anchor, source))
                for found in FIGURE.finditer(source):
                    name = NAME.search(found["rest"])
                    figures.append(Place(path.stem, title, make_id(name[1]) if name else anchor, found["rest"]))
                continue
            figure = cell["metadata"].get("mystnb", {}).get("figure", {})
            if figure:
                figures.append(Place(path.stem, title, make_id(figure["name"]), figure["caption"]))
            for output in cell["outputs"]:
                if table := "".join(output.get("data", {}).get("text/markdown", "")):
                    tables.append(Place(path.stem, title, anchor, table))
    return tuple(figures), tuple(tables), tuple(texts)


def of_row(row: str, near: str = "") -> list[Place]:
    """The chapters that print a row of the report, each once: under the heading of its table, if there is one."""
    found = [place for place in places()[1] if f"| {row} |" in place.text]
    return each_once(sorted(found, key=lambda place: not place.anchor.startswith(make_id(near) or "?")))


def of_element(name: str) -> list[Place]:
    """The chapters that show a figure of the paper or its proposition."""
    kind, _, number = name.partition(" ")
    pattern = rf"Figs?\. (?:\w+ and )?{number}[a-d]?\b" if kind == "Fig." else rf"{kind} {number}\b"
    return each_once([place for place in places()[0] if re.search(pattern, place.text)])


def each_once(found: list[Place]) -> list[Place]:
    """The first place in each chapter, in the order of the chapters."""
    first = {place.document: place for place in reversed(found)}
    return [first[document] for document in sorted(first)]
