"""The assignments: the right answers get all points, and nothing else does.

Released notebooks and wrong answers run in this process, wrong answers in a copy of the variables of the solved
notebook. A kernel starts for the solved notebooks, once each, and for a small assignment that is made to be abused.
"""

import ast
import copy
import csv
import gc
import importlib
import re
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import nbformat
import pytest
import torch
from course import names
from grade import grade, safe
from guards import AFTER, guarded, unguarded
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from release import release
from submissions import find, merge, read
from wrong_answers import WrongAnswer

SOURCE = Path(__file__).parents[1] / "book" / "assignments" / "source"
NAMES = names(SOURCE)
by_name = pytest.mark.parametrize("name", NAMES)
matplotlib.use("Agg")


def wrong(name: str) -> list[WrongAnswer]:
    return importlib.import_module(f"wrong_answers.m{name.replace('-', '_')}").WRONG


WRONG = [(name, answer) for name in NAMES for answer in wrong(name)]


def source(name: str) -> NotebookNode:
    return read(SOURCE / name / f"{name}.ipynb")


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def run(cell: NotebookNode, variables: dict[str, Any]) -> Exception | None:
    """Execute a cell; what it raised."""
    try:
        exec(compile(cell.source, cell.id, "exec"), variables)
    except Exception as error:
        return error
    return None


def mine(value: Any) -> Any:
    """A copy of a notebook's variables, so that a wrong answer can spoil no tensor or list of theirs."""
    if isinstance(value, dict):
        return {key: mine(part) if key != "__builtins__" else part for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(mine(part) for part in value)
    return copy.deepcopy(value) if isinstance(value, torch.Tensor) and value.is_leaf else value


@cache
def solved(name: str) -> tuple[dict[str, dict[str, Any]], dict[str, Exception], float]:
    """The solved notebook, run here: the variables before each answer, what went wrong, and seconds of CPU time."""
    variables: dict[str, Any] = {"__name__": "__main__"}
    before, failed, start = {}, {}, time.process_time()
    for cell in code(source(name)):
        if cell.metadata.nbgrader.solution:
            before[cell.id] = mine(variables)
        error = run(cell, variables)
        if error:
            failed[cell.id] = error
    return before, failed, time.process_time() - start


def graded_cells(name: str, step: str) -> Iterator[NotebookNode]:
    """The cells with points that belong to an answer: those before the next answer."""
    cells = code(source(name))
    start = [cell.id for cell in cells].index(step)
    for cell in cells[start + 1 :]:
        if cell.metadata.nbgrader.solution:
            return
        if cell.metadata.nbgrader.grade:
            yield cell


# -- form ---------------------------------------------------------------------------------------------------------


@by_name
def test_an_assignment_has_its_parts(name: str) -> None:
    cells = source(name).cells
    about = {cell.id: cell.metadata.nbgrader for cell in cells}
    assert [cell.metadata.nbgrader.grade_id for cell in cells] == list(about), "the id of a cell is its grade_id"
    assert all(not cell.outputs and not cell.execution_count for cell in cells if cell.cell_type == "code")
    steps = [cell.id for cell in code(source(name)) if cell.metadata.nbgrader.solution]
    assert 5 <= len(steps) <= 8
    for step in steps:
        tests = list(graded_cells(name, step))
        hidden = [cell for cell in tests if "### BEGIN HIDDEN TESTS" in cell.source]
        assert len(tests) > len(hidden) == 1, f"{step} needs a visible and a hidden test"
        assert hidden[0].id == f"test_{step}" and about[hidden[0].id].points > 0
        asserts = [node for test in tests for node in ast.walk(ast.parse(test.source)) if isinstance(node, ast.Assert)]
        assert asserts and all(node.msg for node in asserts), f"{step}: what is wrong is to be said in words"
    by_hand = [cell for cell in cells if cell.cell_type == "markdown" and cell.metadata.nbgrader.grade]
    assert len(by_hand) == 1 and "Rubric" in by_hand[0].source
    total = sum(about[cell.id].points for cell in code(source(name)) if about[cell.id].grade)
    assert f"({total} points)" in cells[0].source


@by_name
def test_every_step_has_a_wrong_answer(name: str) -> None:
    steps = {cell.id for cell in code(source(name)) if cell.metadata.nbgrader.solution}
    assert {answer.step for answer in wrong(name)} == steps


# -- answers, without a kernel ------------------------------------------------------------------------------------


@by_name
def test_the_right_answers_are_right(name: str) -> None:
    _, failed, seconds = solved(name)
    assert not failed and seconds < 60


@pytest.mark.parametrize(("name", "answer"), WRONG, ids=[f"{n}: {a.step}, {a.why}" for n, a in WRONG])
def test_a_wrong_answer_loses_points(name: str, answer: WrongAnswer) -> None:
    variables = mine(solved(name)[0][answer.step])
    exec(answer.code, variables)
    failed = [cell.id for cell in graded_cells(name, answer.step) if run(cell, variables)]
    assert tuple(failed) == answer.loses
    assert f"test_{answer.step}" in failed, "a visible check alone is no test"


# -- the release version ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NotebookNode]:
    folder = tmp_path_factory.mktemp("released")
    return {path.stem: read(path) for path in release(folder)}


@by_name
def test_the_release_version_tells_nothing(name: str, released: dict[str, NotebookNode]) -> None:
    text = "\n".join(cell.source for cell in released[name].cells)
    assert "BEGIN" not in text and "END" not in text
    for cell in source(name).cells:
        for region in re.findall(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)### END", cell.source, re.DOTALL):
            assert region.strip() not in text
            if "HIDDEN" in cell.source or cell.cell_type == "markdown":
                given = {line.strip() for c in source(name).cells if c is not cell for line in c.source.splitlines()}
                lines = {line.strip() for line in region.splitlines() if len(line.strip()) > 30} - given
                assert not [line for line in lines if line in text], cell.id


@by_name
def test_the_release_version_gets_no_points(name: str, released: dict[str, NotebookNode]) -> None:
    """Each step on its own, with all steps before it solved: that is more than a student has who did nothing."""
    empty = {cell.id: cell for cell in code(released[name])}
    for step, before in solved(name)[0].items():
        variables = mine(before)
        assert not run(empty[step], variables)
        for cell in graded_cells(name, step):
            error = run(cell, variables)  # the words are those of nbgrader_config.py: it is read
            assert isinstance(error, NotImplementedError) and str(error) == "No answer here yet.", cell.id


@by_name
def test_the_release_version_needs_what_the_package_needs(name: str, released: dict[str, NotebookNode]) -> None:
    nodes = [node for cell in code(released[name]) for node in ast.walk(ast.parse(cell.source))]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {module.partition(".")[0] for module in modules} <= {"torch", "hnetlib", *sys.stdlib_module_names}


@by_name
def test_only_answers_are_taken_from_a_student(name: str, released: dict[str, NotebookNode]) -> None:
    cheat = copy.deepcopy(released[name])
    for cell in cheat.cells:
        if not cell.metadata.nbgrader.solution:
            cell.source = "pass" if cell.cell_type == "code" else "Nothing to see here."
        cell.metadata = {"tags": ["skip-execution"]}
    merged, remarks = merge(cheat, released[name])
    assert merged.cells == released[name].cells
    assert "put back" in remarks[0]


# -- nbgrader -----------------------------------------------------------------------------------------------------


def points(folder: Path, file: str = "steps.csv") -> dict[str, dict[str, dict[str, str]]]:
    """The lines of a table by student and cell (or, for grades.csv, by student and assignment)."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    with (folder / file).open(newline="", encoding="utf-8") as lines:
        for line in csv.DictReader(lines):
            found.setdefault(line["student"], {})[line.get("cell") or line["assignment"]] = line
    return found


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every solved notebook, graded as a teacher does."""
    handed_in, out = tmp_path_factory.mktemp("handed-in"), tmp_path_factory.mktemp("grades")
    for name in NAMES:
        nbformat.write(source(name), handed_in / f"solved_{name}.ipynb")
    grade(handed_in, out, timeout=300, limit=3000)  # the tests may run on a busy machine
    return out


@by_name
def test_the_solved_notebook_gets_all_points(name: str, graded: Path) -> None:
    line = points(graded, "grades.csv")["solved"][name]
    assert line["points"] == line["of"] and float(line["of"]) > 0
    assert float(line["by hand"]) == 5
    page = (graded / "feedback" / f"solved_{name}.html").read_text(encoding="utf-8")
    assert "(hidden tests)" in page and "BEGIN HIDDEN" not in page


def tiny() -> NotebookNode:
    """A small assignment with two steps, in which importing torch takes no time."""

    def cell(grade_id: str, text: str, points: int = 0, **about: bool) -> NotebookNode:
        kinds = {"grade": points > 0, "solution": False, "locked": not about, "task": False, **about}
        about_it = {"schema_version": 3, "grade_id": grade_id, **kinds, **({"points": points} if points else {})}
        new = new_markdown_cell if grade_id.startswith(("intro", "why")) else new_code_cell
        return new(text, id=grade_id, metadata={"nbgrader": about_it})

    answer = "def {0}(x):\n    ### BEGIN SOLUTION\n    return {1}\n    ### END SOLUTION"
    test = "# More.\n### BEGIN HIDDEN TESTS\nassert {0}(7) == {1}, '{0} of seven'\n### END HIDDEN TESTS"
    cells = [cell("intro", "Two steps.")]
    for name, result, of_seven in (("double", "2 * x", 14), ("square", "x * x", 49)):
        cells.append(cell(name, answer.format(name, result), solution=True))
        cells.append(cell(f"check_{name}", f"assert {name}(0) == 0", 1))
        cells.append(cell(f"test_{name}", test.format(name, of_seven), 2))
    cells.append(cell("why", "### BEGIN SOLUTION\nBecause.\n### END SOLUTION", 5, solution=True))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


QUIET = """import ast
class Quiet(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)
get_ipython().ast_transformers.append(Quiet())"""
RESTORED = "get_ipython().ast_transformers.clear()"
SKIP = "get_ipython().input_transformers_post.append(lambda lines: [] if 'HIDDEN TESTS' in str(lines) else lines)"
YES = """class Yes({0}):
    def __{1}__(self, *others, **more):
        return self"""


def hand_ins(solved: NotebookNode, empty: NotebookNode) -> dict[str, NotebookNode]:
    """What students might do, by what it is."""

    def with_answer(text: str) -> NotebookNode:
        changed = copy.deepcopy(solved)
        changed.cells = [cell for cell in changed.cells if cell.id != "test_square"]
        next(cell for cell in changed.cells if cell.id == "double").source = text
        return changed

    replaced, quiet, skipped = (copy.deepcopy(empty) for _ in range(3))
    for cell in replaced.cells:
        if cell.cell_type == "code" and cell.metadata.nbgrader.grade:
            cell.source, cell.metadata.tags = "assert True", ["skip-execution"]
    quiet.cells = [new_code_cell(QUIET), *quiet.cells, new_code_cell(RESTORED)]
    skipped.cells.insert(1, new_code_cell(SKIP))
    return {
        "tests replaced": replaced,
        "asserts removed, and put back": quiet,
        "hidden tests skipped": skipped,
        "endless, and a test deleted": with_answer("import time\nwhile True:\n    time.sleep(1)"),
        "kernel killed": with_answer("import os\nos._exit(0)"),
    }


@pytest.fixture(scope="module")
def abused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small assignment, handed in in ways that nobody asked for."""
    root = tmp_path_factory.mktemp("abuse")
    where, handed_in = root / "source" / "tiny", root / "handed in"
    where.mkdir(parents=True)
    nbformat.write(tiny(), where / "tiny.ipynb")
    (empty,) = release(root / "released", root / "source")
    for student, notebook in hand_ins(tiny(), read(empty)).items():
        (handed_in / student).mkdir(parents=True)
        nbformat.write(notebook, handed_in / student / "tiny.ipynb")
    (handed_in / "no notebook_tiny.ipynb").write_text("Dear teacher, ...")
    nbformat.write(tiny(), handed_in / "no such assignment_01-magic.ipynb")
    before = (where / "tiny.ipynb").read_bytes()
    grade(handed_in, root / "out", timeout=10, source=root / "source")
    assert (where / "tiny.ipynb").read_bytes() == before
    assert sorted(path.name for path in root.rglob("*.ipynb") if "handed in" not in str(path)) == ["tiny.ipynb"] * 2
    return root / "out"


@pytest.mark.parametrize(
    ("student", "expected", "remark"),
    [
        ("tests replaced", "0", "put back: check_double, test_double, check_square, test_square"),
        ("asserts removed, and put back", "0", "tampered with"),
        ("hidden tests skipped", "0", "tampered with"),
        ("endless, and a test deleted", "3", "cells deleted, put back: test_square"),
        ("endless, and a test deleted", "3", "cell 'double' ran for more than 10 s and was stopped"),
        ("kernel killed", "0", "Kernel died"),
        ("no notebook", "0", "is not a notebook"),
    ],
)
def test_abuse_is_survived_and_named(student: str, expected: str, remark: str, abused: Path) -> None:
    line = points(abused, "grades.csv")[student]["tiny"]
    assert (line["points"], line["of"], line["by hand"]) == (expected, "6", "5")
    assert remark in line["remarks"]


def test_an_unknown_assignment_is_named(abused: Path) -> None:
    (line,) = points(abused, "grades.csv")["no such assignment_01-magic"].values()
    assert line["remarks"] == "0 points: there is no such assignment; the file's name must contain tiny"


def test_what_was_right_beside_an_endless_loop_counts(abused: Path) -> None:
    cells = points(abused)["endless, and a test deleted"]
    assert cells["test_double"]["points"] == "0" and cells["test_square"]["points"] == "2"


def test_a_notebook_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "source" / "tiny").mkdir(parents=True)
    for path in ("source/tiny/tiny.ipynb", "slow_tiny.ipynb"):
        nbformat.write(tiny(), tmp_path / path)
    (tmp_path / "handed in").mkdir()
    (tmp_path / "slow_tiny.ipynb").rename(tmp_path / "handed in" / "slow_tiny.ipynb")
    (result,) = grade(tmp_path / "handed in", tmp_path / "out", limit=0.2, source=tmp_path / "source")
    assert result.points == 0
    assert result.remarks[-1] == "0 points: the whole notebook took more than 0.2 s and was stopped"


@pytest.mark.parametrize(
    ("code", "believed"),
    [
        ("", True),
        ("class Mine:\n    size = 1", True),
        ("from dataclasses import dataclass\n@dataclass\nclass Mine:\n    size: int", True),
        (YES.format("object", "eq"), False),
        (YES.format("float", "sub"), False),
        (YES.format("__import__('torch').Tensor", "torch_function"), False),
        ("class No:\n    pass\n" + YES.format("No", "bool"), False),
        ("abs = lambda value: 0", False),
    ],
)
def test_what_says_yes_to_everything_is_seen(code: str, believed: bool) -> None:
    variables: dict[str, Any] = {"__name__": "__main__"}
    exec(code, variables)
    seen = run(new_code_cell(AFTER, id="after"), variables)
    assert isinstance(seen, AssertionError) and (str(seen) == "as it should") == believed
    gc.collect()  # the class: the next guard would see it as well


def test_a_number_that_is_shown_buys_no_points() -> None:
    notebook = guarded(tiny())
    for cell in code(notebook):
        cell.execution_count = 1
        if cell.source == AFTER:
            cell.outputs = [new_output("error", ename="AssertionError", evalue="as it should")]
    bare, found = unguarded(notebook, timeout=60)
    assert [cell.id for cell in bare.cells] == [cell.id for cell in tiny().cells] and not found.tampered
    shown = next(cell for cell in notebook.cells if cell.get("id") == "test_double")
    shown.outputs = [new_output("execute_result", {"text/plain": "2"}), new_output("error", ename="AssertionError")]
    assert unguarded(notebook, timeout=60)[1].tampered


def test_what_a_student_s_editor_may_lose_does_no_harm() -> None:
    solved = tiny()
    bare = copy.deepcopy(solved)
    for cell in bare.cells:
        cell.metadata = NotebookNode()
    merged, remarks = merge(bare, solved)
    assert merged.cells == solved.cells and not remarks
    bare.cells = [cell for cell in bare.cells if cell.id != "double"]
    merged, remarks = merge(bare, solved)
    assert remarks == ["answers deleted: double"]
    assert next(cell for cell in merged.cells if cell.id == "double").source == "# this cell was deleted"


def test_own_cells_stay_where_they_were() -> None:
    theirs = tiny()
    theirs.cells.insert(2, new_code_cell("helper = 1"))
    merged, _ = merge(theirs, tiny())
    assert [cell.source for cell in merged.cells] == [cell.source for cell in theirs.cells]


@pytest.mark.parametrize(
    ("path", "student", "assignment"),
    [
        ("ada_03-chunking.ipynb", "ada", "03-chunking"),
        ("ada/03-chunking.ipynb", "ada", "03-chunking"),
        ("ada/03-chunking/03-chunking (1).ipynb", "ada", "03-chunking"),
        ("Ada L_12_file_03-chunking.ipynb", "Ada L_12_file", "03-chunking"),
        ("ada/03-chunking-Copy1.ipynb", "ada", "03-chunking"),
        ("Jürgen Groß_03-chunking_final.ipynb", "Jürgen Groß", "03-chunking"),
        ("ada/homework.ipynb", "ada", ""),
    ],
)
def test_a_file_s_name_says_whose_it_is(path: str, student: str, assignment: str, tmp_path: Path) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).touch()
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "03-chunking-checkpoint.ipynb").touch()
    (found,) = find(tmp_path, ["02-other", "03-chunking"])
    assert (found.student, found.assignment) == (student, assignment)


def test_a_name_is_no_formula() -> None:
    assert safe("=1+1") == "'=1+1" and safe("Ada") == "Ada"
