"""What the page for teachers says of commands, chapters and assignments is so."""

import json
import re
import shlex
from pathlib import Path

import pytest
import typer
from teaching import GOALS, TIME, cells, graded, text

from hnetlib.cli import app
from hnetlib.experiments import registry

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "book" / "teachers.md").read_text(encoding="utf-8")
CHAPTERS = sorted((ROOT / "book").glob("[0-9]*.ipynb"))


def test_every_target_of_make_that_is_named_is_there() -> None:
    named = set(re.findall(r"(?m)(?:^|`)make ([a-z]+)", PAGE))
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    assert {"assignments", "grade", "slides"} <= named
    assert named <= targets, named - targets


@pytest.mark.parametrize("line", re.findall(r"(?m)^hnet run (.*)$", PAGE))
def test_every_run_that_is_named_would_start(line: str) -> None:
    words = shlex.split(line.replace("$SLURM_ARRAY_TASK_ID", "3").replace("$HOME", "/srv/course"))
    run = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
    asked = run.make_context("run", words).params  # refuses what is no option, or no value for it
    assert asked["ids"] and all(name in registry.EXPERIMENTS for name in asked["ids"])


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_says_what_it_teaches_and_in_which_time(path: Path) -> None:
    first = text(cells(path)[0])
    assert GOALS.search(first) and TIME.search(first)


def test_points_are_added_up_from_the_source(tmp_path: Path) -> None:
    def cell(kind: str, name: str, points: int, grade: bool = True) -> dict:
        about = {"grade_id": name, "points": points, "grade": grade}
        return {"cell_type": kind, "metadata": {"nbgrader": about}, "source": []}

    made = [
        cell("code", "check_cut", 1),
        cell("code", "test_cut", 3),
        cell("code", "cut", 9, grade=False),
        cell("markdown", "why", 5),
        {"cell_type": "markdown", "metadata": {}, "source": []},
    ]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": made}), encoding="utf-8")
    assert graded(tmp_path / "a.ipynb") == (["cut"], 4, 5)
