"""The plane of two-dimensional task embeddings: counts against the learner's own predictions, and the way to a file."""

import pytest
import torch

from hnetlib import MLP, HyperNetwork, TargetNetwork
from hnetlib.data import load_images
from hnetlib.errors import RecordError, SizeError
from hnetlib.experiments import record, run
from hnetlib.learner import HyperNetLearner, Training
from hnetlib.metrics import accuracy
from hnetlib.plane import grid, landscape, require_plane, right_answers
from hnetlib.tasks import split

SHORT = {"optimization.iterations": 20}


def trained(task_dim: int = 2, num_tasks: int = 2) -> tuple[HyperNetLearner, list]:
    torch.manual_seed(0)
    tasks = split(load_images("digits"))[:num_tasks]
    target = TargetNetwork(MLP([64, 12, 10]))
    hnet = HyperNetwork(target.num_weights, task_dim, hidden=(8,))
    learner = HyperNetLearner(target, hnet, Training(60, 32, 0.01), beta=0.01)
    for task in tasks:
        learner.learn(task)
    return learner, tasks


def test_rows_of_the_grid_are_e2_and_columns_e1() -> None:
    points = grid(5.0, 11)
    assert points.shape == (11, 11, 2)
    assert points[0, 10].tolist() == [5, -5]
    assert points[5, 5].tolist() == [0, 0]


def test_at_the_learned_embeddings_the_landscape_is_the_learners_accuracy() -> None:
    learner, tasks = trained()
    embeddings = torch.stack(list(learner.hnet.task_embeddings))
    for t, task in enumerate(tasks):
        there = landscape(learner, task, t, embeddings)
        assert there[t].item() == pytest.approx(accuracy(learner, task, t))


def test_any_shape_of_points_in_more_than_one_batch() -> None:
    learner, tasks = trained()
    plane = grid(2.0, 9)  # 81 points: more than are generated in one go
    counts = right_answers(learner, tasks[0], 0, plane)
    assert counts.shape == (9, 9) and counts.max() <= len(tasks[0].test)
    assert len(counts.unique()) > 3, "the plane is not flat"
    row = right_answers(learner, tasks[0], 0, plane[4])
    assert torch.equal(row, counts[4])


def test_other_embeddings_than_points_of_a_plane_are_refused() -> None:
    learner, tasks = trained(task_dim=3, num_tasks=1)
    with pytest.raises(SizeError, match="task_dim=2"):
        require_plane(learner)
    with pytest.raises(SizeError, match="length 3"):
        landscape(learner, tasks[0], 0, grid(1.0, 2))


def test_a_landscape_goes_beside_its_record_and_comes_back(tmp_path) -> None:
    job = run.Job("fig4", 0, "quick", SHORT, folder=tmp_path)
    written = record.load(run.execute(job)).model_dump()
    assert sorted(path.name for path in job.path.parent.iterdir()) == ["seed-0.json", "seed-0.safetensors"]
    shown = record.landscapes(written, tmp_path)
    assert set(shown) == {0, 4} and all(values.shape == (11, 11) for values in shown.values())
    assert len(written["landscape"]["embeddings"]) == 5
    at = torch.tensor(written["landscape"]["embeddings"])
    assert at.shape == (5, 2)


def test_a_landscape_of_longer_embeddings_is_refused_before_the_training(tmp_path) -> None:
    job = run.Job("s-cl1-hnet", 0, "quick", {**SHORT, "landscape": 5}, folder=tmp_path)
    with pytest.raises(SizeError, match="task_dim=2"):
        run.execute(job)
    assert not list(tmp_path.rglob("*.*"))


def test_a_landscape_that_is_not_the_records_is_refused(tmp_path) -> None:
    job = run.Job("fig4", 0, "quick", SHORT, folder=tmp_path)
    written = record.load(run.execute(job)).model_dump()
    path = job.path.with_suffix(".safetensors")
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    with pytest.raises(RecordError, match="not the file that its record names"):
        record.landscapes(written, tmp_path)
    path.unlink()
    with pytest.raises(RecordError, match="cannot be read"):
        record.landscapes(written, tmp_path)
    with pytest.raises(RecordError, match="no landscape"):
        record.landscapes({**written, "landscape": None}, tmp_path)


def committed() -> list[dict]:
    return [run for name in ("fig4", "fig4-cl2") for run in record.read(name)]


@pytest.mark.parametrize("run", committed(), ids=lambda run: f"{run['experiment']}-{run['seed']}")
def test_a_committed_landscape_agrees_with_its_matrix(run) -> None:
    """The best point of the grid solves the task about as well as the learned embedding."""
    for t, values in record.landscapes(run).items():
        assert values.shape == (101, 101)
        assert values.max().item() >= run["matrix"][-1][t] - 1
