"""Cells around a student's notebook that see whether its tests can be believed, and what happened to its cells.

A student's code and the tests run in one process, so no guard is perfect. These catch what costs no effort: a kernel
that swallows errors or skips tests, comparisons and objects that say yes to everything, and results that are shown in
a test's place (nbgrader takes a number that a cell shows for its points).
"""

import copy
import re
from dataclasses import dataclass, field

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from nbgrader.utils import is_grade, is_locked

# Away from the folder with the notebook, where the tests stand.
BEFORE = "import os as _os, tempfile as _tempfile\n_os.chdir(_tempfile.gettempdir())"
# Behind each test. It carries the marks of hidden tests: what would skip those skips this as well.
AFTER = """### BEGIN HIDDEN TESTS
import sys as _sys
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
_parents = [object, int, float, str, list, tuple, dict] + ([_torch.Tensor] if _torch else [])
_theirs = [_class for _parent in _parents for _class in _parent.__subclasses__() if _class.__module__ == "__main__"]
for _class in _theirs:
    _theirs += _class.__subclasses__()
    if "__dataclass_fields__" not in vars(_class):  # those compare honestly
        assert not {"__eq__", "__ne__", "__bool__", "__sub__", "__rsub__", "__torch_function__"} & {*vars(_class)}
assert 1 == 2, "as it should"
### END HIDDEN TESTS"""
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS", re.DOTALL)


@dataclass
class Found:
    """What the guards have seen."""

    tampered: bool
    remarks: list[str] = field(default_factory=list)


def guarded(notebook: NotebookNode) -> NotebookNode:
    """The notebook with guards: one in front, and one behind each test, before anything can be put right again."""
    cells = [new_code_cell(BEFORE)]
    for cell in notebook.cells:
        cells += [cell, new_code_cell(AFTER)] if is_test(cell) else [cell]
    return NotebookNode({**notebook, "cells": cells})


def is_test(cell: NotebookNode) -> bool:
    """Whether a cell gives points for code."""
    return cell.cell_type == "code" and is_grade(cell)


def errors(cell: NotebookNode) -> list[NotebookNode]:
    """What went wrong in a cell."""
    return [output for output in cell.get("outputs", []) if output.output_type == "error"]


def unguarded(notebook: NotebookNode, timeout: int) -> tuple[NotebookNode, Found]:
    """An executed notebook without its guards, and what they and the other cells tell."""
    cells = [cell for cell in notebook.cells[1:] if cell.source != AFTER]
    guards = [cell for cell in notebook.cells if cell.source == AFTER]
    slow = [cell for cell in cells if any(error.ename == "CellTimeoutError" for error in errors(cell))]
    remarks = [f"cell {name(cell)!r} ran for more than {timeout} s and was stopped" for cell in slow]
    ends = [[(error.ename, error.evalue) for error in errors(cell)] for cell in guards]
    dead = any(ename == "CellTimeoutError" for end in ends for ename, _ in end)
    failed = all(end == [("AssertionError", "as it should")] for end in ends)
    tests = [cell for cell in cells if is_test(cell)]
    unrun = any(not cell.execution_count for cell in tests)
    bought = any(output.output_type == "execute_result" for cell in tests for output in cell.outputs)
    tampered = bought or (not dead and (not failed or unrun))
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
