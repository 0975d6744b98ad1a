"""A contributed record: the project's own pass, and every way of being wrong is told in a sentence."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hnetlib.experiments import record
from hnetlib.experiments.check import belongs, faults

GOOD = record.place("s-cl1-hnet", 0)
Data = dict[str, Any]


def stored(folder: Path, change: Callable[[Data], None]) -> Path:
    """A copy of a good record, changed."""
    data = json.loads(GOOD.read_text())
    change(data)
    path = folder / "seed-0.json"
    path.write_text(json.dumps(data))
    return path


def put(*way: str | int, value: Any) -> Callable[[Data], None]:
    """Change one entry of a record."""

    def change(data: Data) -> None:
        place: Any = data
        for step in way[:-1]:
            place = place[step]
        place[way[-1]] = value

    return change


def test_a_good_record_is_good_wherever_it_lies(tmp_path: Path) -> None:
    path = stored(tmp_path, lambda data: None)
    assert faults(path) == []
    assert belongs(record.load(path)) == Path("data/results/s-cl1-hnet/seed-0.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("experiment", value="s-cl1-hnett"), "no experiment 's-cl1-hnett'"),
        (put("tier", value="best"), "not a record: tier"),
        (put("note", value="hello"), "not a record: note"),
        (put("seed", value=-1), "Seeds count from 0"),
        (put("changed", value={"method.beta": 1.0}), "settings of its own (method.beta)"),
        (put("config", "method", "beta", value=0.1), "method.beta is 0.1, not 0.01"),
        (put("config", "method", "gamma", value=1.0), "settings that do not exist: method.gamma"),
        (put("config", "tasks", value=5), "settings that do not exist: tasks"),
        (put("config", "method", value=None), "settings that do not exist: method"),
        (put("matrix", value=[]), "should have 5 rows and columns"),
        (put("inferred", "entropy", "task_inference", 0, value=500.0), "no percentages"),
        (put("inferred", "entropy", "task_inference", 0, value=float("nan")), "not a record: inferred"),
        (put("provenance", "wall_seconds", value=float("nan")), "not a record: provenance.wall_seconds"),
        (put("config", "optimization", "batch_size", value=0), "cannot be read: optimization.batch_size"),
        (put("matrix", value=[[99.0]]), "should have 5 rows and columns"),
        (put("matrix", 4, value=[99.0, 99.0]), "should have 5 rows and columns"),
        (put("matrix", 4, 0, value=None), "lacks numbers"),
        (put("matrix", 0, 4, value=99.0), "above the diagonal"),
        (put("matrix", 3, 0, value=101.0), "no percentages"),
        (put("metrics", "final", value=99.9), "Its final is 99.9, but its matrix gives 99.78"),
        (put("metrics", "luck", value=1.0), "Its luck is 1.0, but its matrix gives None"),
        (put("inferred", "entropy", "final", value=99.0), "not the mean of its accuracies"),
        (put("inferred", "entropy", "accuracies", value=[50.0]), "one number for each of the 5 tasks"),
        (put("provenance", "commit", value="0123abc+changes"), "not of committed code (0123abc+changes)"),
        (put("provenance", "commit", value="unknown"), "not of committed code (unknown)"),
        (put("provenance", "wall_seconds", value=0.0), "took no time"),
        (put("provenance", "data_sha256", value="00"), "not those of the other records on mnist"),
        (put("arrays_sha256", value="00"), "cannot be read"),
    ],
)
def test_every_fault_is_told_in_a_sentence(change: Callable[[Data], None], said: str, tmp_path: Path) -> None:
    found = faults(stored(tmp_path, change))
    assert any(said in fault for fault in found), found
    assert all(fault[0].isupper() or str(tmp_path) in fault for fault in found)
    assert all(fault.endswith(".") for fault in found)


def test_several_faults_are_all_told(tmp_path: Path) -> None:
    def change(data: Data) -> None:
        put("seed", value=-1)(data)
        put("metrics", "final", value=1.0)(data)

    assert len(faults(stored(tmp_path, change))) == 2


def test_arrays_must_be_those_that_the_record_names(tmp_path: Path) -> None:
    own = record.place("fig4", 0)
    for suffix in (".json", ".safetensors"):
        shutil.copy(own.with_suffix(suffix), tmp_path)
    path = tmp_path / own.name
    assert faults(path) == []
    with path.with_suffix(".safetensors").open("ab") as file:
        file.write(b"x")
    assert ["not the file that its record names" in fault for fault in faults(path)] == [True]


def test_a_record_of_fig_4_has_its_landscape_and_no_other_has_one(tmp_path: Path) -> None:
    (data,) = record.read("fig4", 0)
    assert data["landscape"]
    for content, said in ((data | {"landscape": None}, "lacks its landscape"), (data, None)):
        path = tmp_path / "seed-0.json"
        path.write_text(json.dumps(content))
        assert any("landscape" in fault for fault in faults(path)) == (said is not None)


def test_the_toy_regression_has_errors_instead_of_percentages(tmp_path: Path) -> None:
    data = json.loads(record.place("fig2", 0).read_text())
    wrong = copy.deepcopy(data)
    wrong["metrics"]["worst_final"] = 0.5
    for content, many in ((data, 0), (wrong, 1)):
        path = tmp_path / "seed-0.json"
        path.write_text(json.dumps(content))
        assert len(faults(path)) == many
