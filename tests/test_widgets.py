"""The Python side of the widgets: what they send to the browser is enough, and is what the learner has."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from hnetlib import MLP, HyperNetwork, TargetNetwork
from hnetlib.baselines import EWC, FineTuning
from hnetlib.data import load_images
from hnetlib.errors import SizeError
from hnetlib.learner import HyperNetLearner, Training
from hnetlib.metrics import learn_all, watched
from hnetlib.plots import PALETTE
from hnetlib.tasks import permuted, polynomials, split
from hnetlib.widgets import EmbeddingExplorer, ForgettingPlayer

TRAINING = Training(30, 32, 0.01)


def learner_of(target: nn.Module, **sizes) -> HyperNetLearner:
    torch.manual_seed(0)
    network = TargetNetwork(target)
    options: dict[str, Any] = {"task_dim": 2, "hidden": (8,)} | sizes
    return HyperNetLearner(network, HyperNetwork(network.num_weights, **options), TRAINING, beta=0.01)


def digits_learner(num_tasks: int = 3, **sizes) -> tuple[HyperNetLearner, list]:
    learner, tasks = learner_of(MLP([64, 9, 10]), **sizes), split(load_images("digits"))[:num_tasks]
    for task in tasks:
        learner.learn(task)
    return learner, tasks


# -- the explorer of embeddings


def test_the_browser_gets_all_weights_in_the_order_in_which_they_are_used() -> None:
    learner, tasks = digits_learner(chunk_size=100, chunk_dim=3)
    shown = EmbeddingExplorer(learner, tasks)
    theta = torch.frombuffer(bytearray(shown.theta), dtype=torch.float32)
    assert len(theta) == learner.hnet.num_parameters(num_tasks=0)
    first = learner.hnet.body.chunk_embeddings
    assert torch.equal(theta[: first.numel()], first.detach().flatten())
    assert torch.equal(theta[-100:], learner.hnet.last.bias.detach())
    assert shown.hypernet == {
        "num_weights": learner.target.num_weights,
        "num_chunks": 7,
        "chunk_size": 100,
        "chunk_dim": 3,
        "hidden": [8],
        "activation": "ELU",
    }
    assert (shown.layers, shown.activation) == ([64, 9, 10], "ReLU")
    assert shown.embeddings == [e.tolist() for e in learner.hnet.task_embeddings]
    assert shown.embedding == shown.embeddings[0]


def test_the_browser_gets_test_digits_as_bytes_and_their_answers() -> None:
    learner, tasks = digits_learner()
    shown = EmbeddingExplorer(learner, tasks, samples=20)
    assert shown.kind == "classification"
    assert [(task["head"], task["count"] <= 20) for task in shown.tasks] == [
        ([2 * t, 2 * t + 2], True) for t in range(3)
    ]
    counts = [task["count"] for task in shown.tasks]
    assert len(shown.inputs) == 64 * sum(counts) and len(shown.answers) == 4 * sum(counts)
    assert bytes(tasks[0].test.x[0].flatten().tolist()) == shown.inputs[:64]


def test_a_regression_is_sent_as_numbers_and_needs_no_landscape() -> None:
    tasks, learner = polynomials(), learner_of(MLP([1, 5, 1], nn.Sigmoid), activation=nn.Sigmoid)
    learner.learn(tasks[0])
    shown = EmbeddingExplorer(learner, tasks[:1])
    assert (shown.kind, shown.activation, shown.hypernet["activation"]) == ("regression", "Sigmoid", "Sigmoid")
    assert torch.equal(torch.frombuffer(bytearray(shown.inputs), dtype=torch.float32), tasks[0].test.x[::2, 0])
    assert shown.points == 0


def test_landscapes_are_sent_in_half_percents() -> None:
    learner, tasks = digits_learner(1)
    values = torch.tensor([[[0.0, 50.0], [99.5, 100.0]]])
    shown = EmbeddingExplorer(learner, tasks, landscapes=values)
    assert (list(shown.landscapes), shown.points) == ([0, 100, 199, 200], 2)
    with pytest.raises(SizeError, match="1 tasks, but 2 landscapes"):
        EmbeddingExplorer(learner, tasks, landscapes=values.expand(2, -1, -1))


def test_what_the_browser_cannot_run_is_refused() -> None:
    learner, tasks = digits_learner(1, task_dim=3)
    with pytest.raises(SizeError, match="task_dim=2"):
        EmbeddingExplorer(learner, tasks)
    strange = learner_of(nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.GELU(), nn.Linear(5, 10)))
    strange.learn(tasks[0])
    with pytest.raises(SizeError, match="GELU"):
        EmbeddingExplorer(strange, tasks)
    convolution = learner_of(nn.Sequential(nn.Conv1d(8, 2, 8), nn.Flatten(), nn.Linear(2, 10)))
    with pytest.raises(SizeError, match="fully connected"):
        EmbeddingExplorer(convolution, tasks)
    unbiased = learner_of(nn.Sequential(nn.Flatten(), nn.Linear(64, 10, bias=False)))
    with pytest.raises(SizeError, match="with biases"):
        EmbeddingExplorer(unbiased, tasks)


# -- the player of forgetting


@pytest.mark.parametrize("method", ["hnet", "fine-tuning", "EWC"])
def test_a_watched_method_learns_as_it_does_unwatched(method: str) -> None:
    """The last moments are the accuracy matrix, bit for bit, and the learner is left as it was."""
    tasks, make = permuted(load_images("digits"), 3), partial(MLP, [64, 12, 30])
    torch.manual_seed(0)
    methods: dict[str, Callable[[], Any]] = {
        "hnet": lambda: learner_of(make()),
        "fine-tuning": lambda: FineTuning(make(), TRAINING),
        "EWC": lambda: EWC(make(), TRAINING, 10.0, examples=50),
    }
    learner = methods[method]()
    torch.manual_seed(1)
    history = watched(learner, tasks, [10, 30])
    assert learner.training == TRAINING and not learner.heads
    torch.manual_seed(1)
    assert torch.equal(history[:, -1].nan_to_num(-1), learn_all(learner, tasks).nan_to_num(-1))
    assert not torch.equal(history[:, 0].nan_to_num(-1), history[:, 1].nan_to_num(-1))


def test_the_player_shows_each_moment_of_each_method_in_its_colour() -> None:
    nan = float("nan")
    history = torch.tensor([[[50.0, nan], [90.04, nan]], [[80.0, 40.0], [70.0, 95.0]]])
    player = ForgettingPlayer({"hnet": history, "EWC": history - 1}, moments=[5, 20])
    assert player.history["hnet"] == [[50.0, None], [90.0, None], [80.0, 40.0], [70.0, 95.0]]
    assert [(m["task"], m["step"], m["total"], m["ends"]) for m in player.moments] == [
        (0, 5, 5, False),
        (0, 20, 20, True),
        (1, 5, 25, False),
        (1, 20, 40, True),
    ]
    assert player.methods == ["hnet", "EWC"]
    assert player.colors == {name: PALETTE[name] for name in player.methods}
    assert (player.method, player.moment) == ("hnet", 3)


def test_histories_of_different_sizes_are_refused() -> None:
    two, three = torch.zeros(2, 1, 2), torch.zeros(3, 1, 3)
    with pytest.raises(SizeError, match="same tasks"):
        ForgettingPlayer({"hnet": two, "EWC": three}, moments=[10])
    with pytest.raises(SizeError, match="same 2 moments"):
        ForgettingPlayer({"hnet": two}, moments=[5, 10])
