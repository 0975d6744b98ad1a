"""Cells around a student's notebook that see whether its tests can be believed, and what happened to its cells.

A student's code and the tests run in one process, so no guard is perfect. These catch what costs no effort: a kernel
that swallows errors, and comparisons that say yes to everything.
"""

import copy
import re
from dataclasses import dataclass, field

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from nbgrader.utils import is_grade, is_locked

# Away from the folder with the notebook, where the tests stand.
BEFORE = "import os as _os, tempfile as _tempfile\n_os.chdir(_tempfile.gettempdir())"
MUST_FAIL = "assert 1 == 2, 'as it should'"
MUST_PASS = """import sys as _sys
_torch = _sys.modules.get("torch")
if _torch:
    _zeros, _ones = _torch.zeros(2), _torch.ones(2)
    assert not _torch.allclose(_zeros, _ones) and not _torch.equal(_zeros, _ones)
    assert not (_zeros == _ones).any() and not (_zeros > _ones).any() and (_zeros < _ones).all()
for _name, _given, _value in (
    ("all", ([False],), False), ("any", ([False],), False), ("abs", (-1,), 1), ("len", ([0],), 1),
    ("max", ((1, 2),), 2), ("min", ((1, 2),), 1), ("isinstance", (1, str), False), ("set", ([1],), {1}),
):
    _mine = globals().get(_name)  # a name of the student's own that is in the way of Python's
    assert not callable(_mine) or _mine(*_given) == _value, _name
"""
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS", re.DOTALL)


@dataclass
class Found:
    """What the guards have seen."""

    tampered: bool
    remarks: list[str] = field(default_factory=list)


def guarded(notebook: NotebookNode) -> NotebookNode:
    """The notebook with guards before and behind it."""
    cells = [new_code_cell(BEFORE), *notebook.cells, new_code_cell(MUST_FAIL), new_code_cell(MUST_PASS)]
    return NotebookNode({**notebook, "cells": cells})


def errors(cell: NotebookNode) -> list[NotebookNode]:
    """What went wrong in a cell."""
    return [output for output in cell.get("outputs", []) if output.output_type == "error"]


def unguarded(notebook: NotebookNode, timeout: int) -> tuple[NotebookNode, Found]:
    """An executed notebook without its guards, and what they and the other cells tell."""
    _, *cells, must_fail, must_pass = notebook.cells
    slow = [cell for cell in cells if any(error.ename == "CellTimeoutError" for error in errors(cell))]
    remarks = [f"cell {name(cell)!r} ran for more than {timeout} s and was stopped" for cell in slow]
    failed = [error.ename for error in errors(must_fail)] == ["AssertionError"]
    unrun = any(cell.cell_type == "code" and is_grade(cell) and not cell.execution_count for cell in cells)
    dead = any(error.ename == "CellTimeoutError" for cell in (must_fail, must_pass) for error in errors(cell))
    tampered = not dead and (not failed or bool(errors(must_pass)) or unrun)
    return NotebookNode({**notebook, "cells": cells}), Found(tampered, remarks)


def name(cell: NotebookNode) -> str:
    """The grade_id of a cell, or how a cell that the student has added begins."""
    return cell.metadata.get("nbgrader", {}).get("grade_id") or cell.source.strip()[:30]


def hide_tests(notebook: NotebookNode) -> NotebookNode:
    """The notebook as a student may see it: of hidden tests only what they say when they fail."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code" and is_locked(cell) and HIDDEN.search(cell.source):
            cell.source = HIDDEN.sub("# (hidden tests)", cell.source)
            cell.outputs = errors(cell)
            for error in cell.outputs:
                error.traceback = [f"{error.ename}: {error.evalue}"]
    return notebook
