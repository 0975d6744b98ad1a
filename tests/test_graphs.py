"""On a GPU, a recorded step does what the step as it is written does; a run that is killed there goes on to the end."""

import itertools
import json
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

from hnetlib import graphs, learner
from hnetlib.checkpoint import Checkpoint
from hnetlib.errors import OutOfTime, RecordingError
from hnetlib.experiments.run import Job, execute

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

EXACT = [
    "p10-cl1-hnet",
    "p100-cl1-hnet",
    "p100-cl1-hnet+",
    "p250-cl1-hnet",  # a random part of the tasks in every penalty
    "p10-cl1-ewc",
    "p10-cl2-si",
    "p10-cl3-dgr",
    "p10-cl3-hnet-r",
    "p10-cl1-hnet-tir",
    "p10-cl2-replay-upper-bound",
    "p10-500x500-hat",
    "figA8-gan",
]
NEARLY = ["cifar-resnet32-hnet", "cifar-resnet32-statistics-generated", "cifar-zenke-si"]  # cuDNN sums in any order


def matrix(experiment: str, folder: Path, every: float = 180.0) -> torch.Tensor:
    """The accuracy matrix of a rehearsal; "+" behind a name: with a penalty of random chunks."""
    changed = {"method.sampled_chunks": 7} if experiment.endswith("+") else {}
    path = execute(Job(experiment.rstrip("+"), 0, "quick", changed, "cuda", folder, every))
    return torch.tensor([[v or 0.0 for v in row] for row in json.loads(path.read_text())["matrix"]])


@pytest.mark.parametrize("experiment", EXACT + NEARLY)
def test_a_recorded_step_is_the_step(experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replay = Mock(side_effect=torch.cuda.CUDAGraph.replay)
    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", lambda graph: replay(graph))
    recorded = matrix(experiment, tmp_path / "recorded")
    assert replay.call_count > 300
    monkeypatch.setattr(learner, "Recorded", lambda step: step)
    written = matrix(experiment, tmp_path / "written")
    assert written.diagonal().mean() > 20
    apart = (recorded - written).abs().mean().item()
    assert apart == 0 if experiment in EXACT else apart < 3


def test_a_killed_run_goes_on_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = matrix("p10-cl3-hnet-r", tmp_path / "whole")
    ticks, saved = itertools.count(1), Checkpoint.save

    def killed(checkpoint: Checkpoint) -> None:
        """Save, and every 311th time die."""
        saved(checkpoint)
        if next(ticks) % 311 == 0:
            raise OutOfTime("killed")

    monkeypatch.setattr(Checkpoint, "save", killed)
    parts = None
    while parts is None:
        try:
            parts = matrix("p10-cl3-hnet-r", tmp_path / "parts", every=0.0)
        except OutOfTime:
            continue
    assert next(ticks) > 3 * 311
    assert torch.equal(whole, parts)


def test_a_step_that_looks_at_a_number_is_refused() -> None:
    recorded = graphs.Recorded(lambda index: index.sum() * index.max().item())
    index = torch.arange(3, device="cuda")
    with pytest.raises(RecordingError, match="recorded=False"):
        for _ in range(graphs.AS_WRITTEN + 1):
            recorded(index)
    assert index.sum().item() == 3  # the GPU goes on


def test_a_recording_is_made_once_and_late() -> None:
    calls = []
    total = torch.zeros(3, device="cuda")

    def step(index: torch.Tensor) -> torch.Tensor:
        calls.append(index)
        total.add_(index)
        return total.sum()

    recorded = graphs.Recorded(step)
    losses = [recorded(torch.tensor([i, 0, 1], device="cuda")).item() for i in range(10)]
    assert len(calls) == graphs.AS_WRITTEN + 1
    assert losses == [sum(range(i + 1)) + i + 1 for i in range(10)]
