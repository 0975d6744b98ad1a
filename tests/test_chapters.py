"""Every chapter keeps the form that CONTRIBUTING.md describes. What the cells compute is nbval's business."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

BOOK = Path(__file__).parents[1] / "book"
NOTEBOOKS = sorted(BOOK.glob("*.ipynb"))
CHAPTERS = [path for path in NOTEBOOKS if path.name[0].isdigit()]
LONGEST_CELL = 15
CLAIM = "# NBVAL_CHECK_OUTPUT"

Cell = dict[str, Any]
by_name = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
by_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[tuple[int, Cell, str]]:
    """Place, cell and source of all cells of a kind."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    found = enumerate(notebook["cells"])
    return [(i, cell, "".join(cell["source"])) for i, cell in found if cell["cell_type"] == kind]


def pictures(path: Path) -> list[tuple[int, Cell]]:
    return [
        (i, cell)
        for i, cell, _ in cells(path, "code")
        for output in cell["outputs"]
        if any(mime.startswith("image/") for mime in output.get("data", {}))
    ]


def prose(path: Path) -> str:
    return "\n".join(source for _, _, source in cells(path, "markdown"))


def test_the_chapters_are_there() -> None:
    assert len(CHAPTERS) >= 2


@by_name
def test_cells_are_short(path: Path) -> None:
    lengths = {i: len(source.splitlines()) for i, _, source in cells(path, "code")}
    assert max(lengths.values()) <= LONGEST_CELL, lengths


@by_name
def test_every_figure_has_a_caption_with_its_origin_and_an_alternative_text(path: Path) -> None:
    shown = pictures(path)
    assert shown
    for i, cell in shown:
        about = cell["metadata"].get("mystnb", {})
        assert len(about.get("image", {}).get("alt", "")) > 40, f"cell {i}: describe the figure for who cannot see it"
        caption = about.get("figure", {}).get("caption", "")
        assert re.search(r"\(.*(tier|setting|data|record|digits).*\)$", caption, re.I), f"cell {i}: {caption!r}"


@by_name
def test_stored_outputs_are_there_and_clean(path: Path) -> None:
    code = cells(path, "code")
    assert [cell["execution_count"] for _, cell, _ in code] == list(range(1, len(code) + 1)), "run `make notebooks`"
    for i, cell, source in code:
        for output in cell["outputs"]:
            assert output["output_type"] != "error", f"cell {i} failed"
            assert output.get("name") != "stderr", f"cell {i} warns: {output.get('text')}"
        if source.startswith(CLAIM):
            assert cell["outputs"], f"cell {i} claims nothing"


@by_chapter
def test_a_chapter_has_its_parts(path: Path) -> None:
    text = prose(path)
    for part in (
        "In this chapter",
        "## Break it",
        "## Exercises",
        "## What to take away",
        "## Test yourself",
        "{bibliography}",
    ):
        assert part in text, f"{path.name} lacks {part!r}"
    exercises, solutions = (
        set(re.findall(pattern, text))
        for pattern in (r"```\{exercise\}\n:label: (\S+)", r"```\{solution(?:-start)?\} (\S+)\n:class: dropdown")
    )
    assert 3 <= len(exercises) <= 5
    assert exercises == solutions, "an exercise without its folded solution, or the reverse"


@by_chapter
def test_every_exercise_has_a_folded_hint(path: Path) -> None:
    for exercise in prose(path).split("```{exercise}\n:label: ")[1:]:
        before_solution = exercise.partition("{solution")[0]
        assert "{admonition} Hint\n:class: tip dropdown\n" in before_solution, exercise.partition("\n")[0]


@by_chapter
def test_a_chapter_has_its_own_quiz_and_a_still_of_it(path: Path) -> None:
    sources = [source for _, _, source in cells(path, "code")]
    assert (BOOK / "quizzes" / f"{path.stem}.json").is_file()
    assert any(f'Quiz.read("quizzes/{path.stem}.json")' in source for source in sources)
    (still,) = (cell for _, cell, source in cells(path, "code") if source == "quiz.still()")
    assert still["metadata"]["tags"] == ["still"]


@by_chapter
def test_a_chapter_claims_something_and_shows_it_soon(path: Path) -> None:
    claims = [i for i, _, source in cells(path, "code") if source.startswith(CLAIM)]
    assert len(claims) >= 2
    assert pictures(path)[0][0] <= 8
