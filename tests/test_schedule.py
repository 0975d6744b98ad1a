"""Learning rates: step decay, and the plateau that looks at test accuracy."""

from dataclasses import replace

import pytest
import torch
from torch import nn, optim

from hnetlib.baselines import FineTuning
from hnetlib.data import load_images
from hnetlib.learner import Training
from hnetlib.networks import MLP
from hnetlib.schedule import Rate
from hnetlib.tasks import Split, Task, permuted

KERAS = ((0.4, 0.1), (0.6, 1e-2), (0.8, 1e-3), (0.9, 5e-4))


def adam(rate: float = 0.5) -> optim.Adam:
    return optim.Adam(nn.Linear(1, 1).parameters(), rate)


def released(epoch: int) -> float:
    """The factor in the released code."""
    limits = ((180, 0.5e-3), (160, 1e-3), (120, 1e-2), (80, 1e-1))
    return next((factor for limit, factor in limits if epoch > limit), 1.0)


def test_step_decay_is_that_of_the_released_code() -> None:
    optimizer = adam()
    rate = Rate([optimizer], 1e-3, KERAS)
    for epoch in range(200):
        rate.begin(epoch, 200.0)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-3 * released(epoch))


def test_a_rate_in_a_tensor_is_changed_in_place() -> None:
    """A recorded step reads the tensor that it was recorded with."""
    parameter, rate = torch.nn.Parameter(torch.zeros(1)), torch.tensor(1.0)
    Rate([optim.Adam([parameter], rate)], 1e-3, KERAS).begin(100, 200.0)
    assert rate.item() == pytest.approx(1e-4)


def test_without_a_schedule_optimizers_are_left_alone() -> None:
    optimizer = adam(0.5)
    Rate([optimizer], 1e-3).begin(7, 10.0)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_the_plateau_reduces_when_pytorchs_does() -> None:
    optimizer, mine = adam(1e-3), adam(1e-3)
    theirs = optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, "max", factor=0.1**0.5, patience=5, min_lr=0.5e-6, threshold=0
    )
    rate = Rate([mine], 1e-3, plateau=True)
    for epoch, accuracy in enumerate(torch.rand(200, generator=torch.Generator().manual_seed(0)).tolist()):
        rate.begin(epoch, 200.0)
        assert mine.param_groups[0]["lr"] == pytest.approx(optimizer.param_groups[0]["lr"])
        theirs.step(accuracy)
        rate.measured(accuracy)
    assert rate.at(0.0) == rate.FLOOR


def test_in_the_released_order_step_decay_undoes_the_plateau() -> None:
    """Its two schedulers, stepped as it does after each epoch: the plateau never matters."""
    optimizer = adam(1e-3)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, "max", factor=0.1**0.5, patience=5, min_lr=0.5e-6)
    decay = optim.lr_scheduler.LambdaLR(optimizer, released)
    optimizer.step()
    for epoch in range(1, 200):
        plateau.step(50.0)  # never better
        decay.step()
        assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-3 * released(epoch))


def test_epochs_bound_the_steps_of_a_small_task() -> None:
    task = permuted(load_images("digits"), 1)[0]  # 1,437 pictures
    assert Training(iterations=1000, batch_size=100, epochs=3).steps(task) == (42, 14)
    assert Training(iterations=20, batch_size=100, epochs=3).steps(task) == (20, 14)
    assert Training(iterations=20, batch_size=5000).steps(task) == (20, 1)


def test_training_follows_the_schedule_and_looks_at_the_test_half_only_if_told() -> None:
    task = permuted(load_images("digits"), 1)[0]
    looked: list[int] = []

    def watched(x: torch.Tensor) -> torch.Tensor:
        looked.append(len(x))
        return task.transform(x)

    learn = Training(28, 100, 0.01, epochs=2, decay=((0.4, 0.1),), plateau=True)
    seen: list[float] = []

    class Watching(FineTuning):
        def after_step(self) -> None:
            seen.append(rates[-1].param_groups[0]["lr"])

    rates: list[optim.Adam] = []

    class Noted(Training):
        def adam(self, parameters):
            rates.append(super().adam(parameters))
            return rates[-1]

    Watching(MLP([64, 10]), Noted(**vars(learn))).learn(replace(task, transform=watched))
    assert seen == pytest.approx([0.01] * 14 + [0.001] * 14)
    assert looked.count(len(task.test)) == 2
    looked.clear()
    Watching(MLP([64, 10]), Noted(**vars(replace(learn, plateau=False)))).learn(replace(task, transform=watched))
    assert len(task.test) not in looked


def test_a_plateau_in_training_makes_the_rate_fall() -> None:
    x, y = torch.zeros(10, 4), torch.zeros(10, dtype=torch.int64)
    task = Task("the same answer for all", Split(x, y), Split(x, y))
    noted: list[optim.Adam] = []

    class Noted(Training):
        def adam(self, parameters):
            noted.append(super().adam(parameters))
            return noted[-1]

    FineTuning(nn.Linear(4, 2), Noted(20, 10, 0.01, plateau=True)).learn(task)
    assert noted[0].param_groups[0]["lr"] == pytest.approx(0.01 * 0.1**1.5), "after 7, 13 and 19 epochs"
