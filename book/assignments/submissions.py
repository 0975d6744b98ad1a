"""What students hand in: find it, and put their answers, and nothing else of theirs, into a clean notebook."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell


class SubmissionError(Exception):
    """A file that cannot be graded; the message says why."""


@dataclass(frozen=True)
class Submission:
    """A file, who handed it in, and for which assignment (empty where the name does not say)."""

    path: Path
    student: str
    assignment: str


def find(folder: Path, assignments: Sequence[str]) -> list[Submission]:
    """Everything that was handed in below a folder, as STUDENT/ASSIGNMENT.ipynb or STUDENT_ASSIGNMENT.ipynb.

    Folders may be nested (STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb, as nbgrader's own exchange writes it), and what stands
    behind the name (" (1)" of a browser, "-Copy1" of Jupyter, "_final") does no harm. Hidden folders are left out.
    """
    paths = sorted(path for path in folder.rglob("*.ipynb") if path.is_file())
    inside = [path.relative_to(folder) for path in paths]
    return [submission(folder, path, assignments) for path in inside if not any(p.startswith(".") for p in path.parts)]


def submission(folder: Path, path: Path, assignments: Sequence[str]) -> Submission:
    """One file, named as above."""
    assignment = next((name for name in assignments if name in path.stem), "")
    before = path.stem.partition(assignment)[0].strip(" _-") if assignment else ""
    return Submission(folder / path, path.parts[0] if len(path.parts) > 1 else before or path.stem, assignment)


def read(path: Path) -> NotebookNode:
    """A student's notebook.

    Raises:
        SubmissionError: the file is not a notebook.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # whatever a file can be instead of a notebook
        line = (str(error).splitlines() or [""])[0][:120]
        raise SubmissionError(f"{path.name} is not a notebook: {type(error).__name__}: {line}") from error
    return notebook


def name_of(cell: NotebookNode) -> str:
    """The grade_id of a cell; where an editor has dropped the metadata, its id, which is the same in our sources."""
    return cell.metadata.get("nbgrader", {}).get("grade_id") or cell.get("id", "")


def is_answer(cell: NotebookNode) -> bool:
    """Whether a cell of the release version is for students to fill in."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def merge(theirs: NotebookNode, released: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """The release version with a student's answers in it, and remarks on what had to be put right.

    Only the text of answers and of cells that the student has added is taken over. Everything else, tests, points,
    tags and metadata, comes from the release version.
    """
    known = {name_of(cell) for cell in released.cells}
    found: dict[str, NotebookNode] = {}
    added: dict[str, list[NotebookNode]] = {}  # by the known cell in front of them
    last = ""
    for cell in theirs.cells:
        name = name_of(cell)
        if name in known and name not in found:
            found[name], last = cell, name
        elif cell.cell_type == "code":
            added.setdefault(last, []).append(new_code_cell(cell.source))
    cells = [*added.get("", [])]
    for cell in released.cells:
        cells += [answered(cell, found.get(name_of(cell))), *added.get(name_of(cell), [])]
    return NotebookNode({**released, "cells": cells}), remarks(released, found)


def answered(cell: NotebookNode, theirs: NotebookNode | None) -> NotebookNode:
    """A cell of the release version, with the student's text if it is one to fill in."""
    if not is_answer(cell):
        return cell
    gone = "# this cell was deleted" if cell.cell_type == "code" else "This cell was deleted."
    return NotebookNode({**cell, "source": theirs.source if theirs else gone})


def remarks(released: NotebookNode, found: dict[str, NotebookNode]) -> list[str]:
    """What the student's version lacks, and which code it has changed that is not for changing, in words."""
    answers = [name_of(cell) for cell in released.cells if is_answer(cell)]
    fixed = {name_of(cell): cell.source for cell in released.cells if cell.cell_type == "code" and not is_answer(cell)}
    lists = {
        "answers deleted": [name for name in answers if name not in found],
        "cells deleted, put back": [name for name in fixed if name not in found],
        "cells changed, put back": [n for n in fixed if n in found and found[n].source.strip() != fixed[n].strip()],
    }
    return [f"{what}: {', '.join(cells)}" for what, cells in lists.items() if cells]
