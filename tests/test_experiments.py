"""Records: what a run leaves, and what the committed ones say."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from hnetlib.data import load_images
from hnetlib.experiments import permuted_mnist, record, toy_regression

NAN = float("nan")
COMMITTED = sorted(record.RESULTS.glob("*/*.json"))


def test_a_matrix_survives_the_way_to_json_and_back() -> None:
    matrix = torch.tensor([[97.123456, NAN], [96.5, 98.0]], dtype=torch.float64)
    back = record.as_matrix(json.loads(json.dumps({"matrix": record.rows(matrix)})))
    torch.testing.assert_close(back, matrix, atol=1e-4, rtol=0, equal_nan=True)


def test_records_are_found_by_seed_and_in_order(tmp_path: Path) -> None:
    for seed in (11, 2):
        record.write({"experiment": "x", "seed": seed}, tmp_path)
    assert [r["seed"] for r in record.read("x", folder=tmp_path)] == [2, 11]
    assert record.read("x", seed=11, folder=tmp_path) == [{"experiment": "x", "seed": 11}]
    assert record.read("y", folder=tmp_path) == []


def test_a_record_that_cannot_be_written_leaves_no_file_and_spares_the_old_one(tmp_path: Path) -> None:
    path = record.write({"experiment": "x", "seed": 0, "value": 1}, tmp_path)
    with pytest.raises(TypeError):
        record.write({"experiment": "x", "seed": 0, "value": torch.zeros(1)}, tmp_path)
    assert list(tmp_path.rglob("*.*")) == [path]
    assert json.loads(path.read_text())["value"] == 1


def test_a_run_of_permuted_mnist_leaves_a_whole_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real code on small data: 8 x 8 digits instead of MNIST, two tasks, a few steps."""
    monkeypatch.setattr(permuted_mnist, "load_images", lambda name: load_images("digits"))
    config = replace(permuted_mnist.Config(seed=3), num_tasks=2, iterations=60, hidden=(30,), chunk_size=500)
    config = replace(config, learning_rate=0.003)
    result = permuted_mnist.run(config)
    again = permuted_mnist.run(config)
    assert result["matrix"] == again["matrix"], "the same seed gives the same record"
    assert json.loads(json.dumps(result))["config"]["seed"] == 3
    assert result["num_weights"]["target"] == 144 * 30 + 30 + 30 * 20 + 20
    assert result["metrics"]["during"] > 50
    assert {"commit", "torch", "device", "data_sha256", "wall_seconds", "resumed"} <= set(result["provenance"])


def test_the_configuration_of_p10_builds_the_papers_hypernetwork() -> None:
    learner = permuted_mnist.build(permuted_mnist.Config(), inputs=1024)
    assert learner.target.num_weights == 2_126_100
    assert learner.hnet.num_parameters(num_tasks=10) == 2_029_931 + 8


def test_what_the_paper_says_is_data() -> None:
    (row,) = record.paper("p10-cl1-hnet")
    assert (row["sem"], row["n"]) == (0.02, 20)
    assert record.paper("s-cl1-hnet-r", "during")[0]["where"] == "Table 3"


def test_there_are_committed_records() -> None:
    assert {"fig2", "p10-cl1-hnet"} <= {path.parent.name for path in COMMITTED}


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_committed_record_is_what_it_says(path: Path) -> None:
    """Stands in its place, comes from committed code, and has the paper's setting if it calls itself so."""
    result = json.loads(path.read_text())
    assert path == record.RESULTS / result["experiment"] / f"seed-{result['seed']}.json"
    assert "+changes" not in result["provenance"]["commit"]
    default = toy_regression.Config() if result["experiment"].startswith("fig2") else permuted_mnist.Config()
    own = {"seed": result["seed"], "beta": result["config"]["beta"]}
    assert result["tier"] == "paper"
    assert result["config"] == json.loads(json.dumps({**asdict(default), **own}))


@pytest.mark.parametrize("run", record.read("p10-cl1-hnet"), ids=lambda run: f"seed {run['seed']}")
def test_the_permuted_mnist_record_agrees_with_itself_and_with_the_paper(run: dict) -> None:
    matrix = record.as_matrix(run)
    assert matrix.shape == (10, 10)
    assert run["metrics"] == pytest.approx(record.derived(matrix), abs=1e-3)
    assert run["config"]["beta"] == permuted_mnist.Config.beta
    assert run["metrics"]["final"] >= 97.4
