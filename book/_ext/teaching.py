"""Tables for teachers, made from what is there: the chapters, and the assignments' sources.

A local Sphinx extension, named in _config.yml under `sphinx: local_extensions`.
"""

import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

BOOK = Path(__file__).parents[1]
SOURCE = BOOK / "assignments" / "source"
GOALS = re.compile(r"\*\*You will learn\*\* (.*)")
TIME = re.compile(r"\*\*Time:\*\* (.*?) to read")

Cell = dict[str, Any]


def cells(notebook: Path) -> list[Cell]:
    """The cells of a notebook's file."""
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def text(cell: Cell) -> str:
    """What an author wrote into a cell."""
    return "".join(cell["source"])


class Table(SphinxDirective):
    """A table with a row for each notebook; its cells are written in the book's own Markdown."""

    header: tuple[str, ...] = ()

    def rows(self) -> list[tuple[str, ...]]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        rows = self.rows()
        lines = [self.header, ("---",) * len(self.header), *rows]
        source = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return self.parse_text_to_nodes(source) if rows else [nodes.paragraph(text="There are none here.")]


class Chapters(Table):
    """`{chapters-for-teachers}`: what each chapter teaches, and how long it takes to read; from its first cell."""

    header = ("Chapter", "Afterwards a student can explain, and show in code", "Reading")

    def rows(self) -> list[tuple[str, ...]]:
        listed = [self.row(path) for path in sorted(BOOK.glob("[0-9]*.ipynb"))]
        self.env.note_dependency(__file__)
        return [row for row in listed if row]

    def row(self, path: Path) -> tuple[str, ...]:
        if f"book/{path.stem}" not in self.env.found_docs:
            return ()
        self.env.note_dependency(str(path))
        first = text(cells(path)[0])
        goals, time = GOALS.search(first), TIME.search(first)
        if not (goals and time):
            raise self.error(f"The first cell of {path.name} does not say what is learned, and in which time.")
        return f"[](/book/{path.stem})", goals[1], time[1].lower()


class Assignments(Table):
    """`{assignments-for-teachers}`: steps and points of each assignment, with its release version to download."""

    header = ("Assignment", "Steps that are graded", "Points automatically", "By hand")

    def rows(self) -> list[tuple[str, ...]]:
        return [self.row(path) for path in sorted(SOURCE.glob("*/*.ipynb"))]

    def row(self, path: Path) -> tuple[str, ...]:
        self.env.note_dependency(str(path))
        title = re.sub(r"^# Assignment \d+: ", "", text(cells(path)[0]).splitlines()[0])
        link = f'<a href="../assignments/{path.name}" download>{title}</a>'
        steps, automatic, by_hand = graded(path)
        named = ", ".join(f"`{step}`" for step in steps)
        return f"{path.stem[:2]} {link}", named, str(automatic), str(by_hand)


def graded(path: Path) -> tuple[list[str], int, int]:
    """Of an assignment: the names of its steps, points for code, points for text."""
    marked = [cell for cell in cells(path) if cell["metadata"].get("nbgrader", {}).get("grade")]
    about = [(cell["cell_type"] == "code", cell["metadata"]["nbgrader"]) for cell in marked]
    steps = [m["grade_id"].removeprefix("test_") for _, m in about if m["grade_id"].startswith("test_")]
    points = [sum(m["points"] for is_code, m in about if is_code == wanted) for wanted in (True, False)]
    return steps, points[0], points[1]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("chapters-for-teachers", Chapters)
    app.add_directive("assignments-for-teachers", Assignments)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
