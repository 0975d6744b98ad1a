"""The accuracy matrix and its summaries."""

import math

import pytest
import torch

from hnetlib import metrics
from hnetlib.learner import Learner
from hnetlib.tasks import Split, Task, polynomials

NAN = math.nan
MATRIX = torch.tensor([[90.0, NAN, NAN], [95.0, 80.0, NAN], [85.0, 84.0, 70.0]], dtype=torch.float64)


def test_summaries_by_hand() -> None:
    assert metrics.during(MATRIX) == pytest.approx(80)
    assert metrics.final(MATRIX) == pytest.approx((85 + 84 + 70) / 3)
    assert metrics.forgetting(MATRIX) == pytest.approx(((95 - 85) + (80 - 84)) / 2)
    assert metrics.backward_transfer(MATRIX) == pytest.approx(((85 - 90) + (84 - 80)) / 2)
    assert metrics.forward_transfer(MATRIX, torch.tensor([99.0, 70.0, 75.0])) == pytest.approx((10 - 5) / 2)


def test_a_single_task_cannot_be_forgotten() -> None:
    one = torch.tensor([[90.0]])
    assert metrics.forgetting(one) == metrics.backward_transfer(one) == 0
    assert metrics.forward_transfer(one, torch.tensor([50.0])) == 0


class Recorder:
    """Knows the answer 1 to everything; notes the order of calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def learn(self, task: Task) -> None:
        self.calls.append(f"learn {task.name}")

    def predict(self, x: torch.Tensor, task: int | None = None) -> torch.Tensor:
        self.calls.append(f"predict {task}")
        return torch.tensor([[0.0, 1.0]]).expand(len(x), 2)


def test_tasks_are_learned_in_order_and_measured_after_each() -> None:
    learner = Recorder()
    x = torch.zeros(4, 1)
    tasks = [
        Task(name, Split(x, x), Split(x, torch.tensor(y))) for name, y in [("a", [1, 1, 0, 1]), ("b", [0, 0, 0, 1])]
    ]
    matrix = metrics.learn_all(learner, tasks)
    assert learner.calls == ["learn a", "predict 0", "learn b", "predict 0", "predict 1"]
    assert matrix[0, 0] == matrix[1, 0] == 75 and matrix[1, 1] == 25
    assert matrix[0, 1].isnan()


def test_regression_is_measured_against_the_noiseless_curve() -> None:
    class Perfect:
        def learn(self, task: Task) -> None: ...

        def predict(self, x: torch.Tensor, task: int | None = None) -> torch.Tensor:
            return x + 3.5

    learner: Learner = Perfect()
    assert metrics.mean_squared_error(learner, polynomials()[0], 0) == pytest.approx(0.25, rel=1e-4)


def test_not_every_row_need_be_whole() -> None:
    tasks, so_far = polynomials()[:1] * 8, iter(range(1, 10_000))
    whole, thin = (metrics.learn_all(Recorder(), tasks, lambda *_: next(so_far), every=every) for every in (1, 3))
    assert (~whole.isnan()).sum(dim=1).tolist() == list(range(1, 9))
    assert (~thin.isnan()).sum(dim=1).tolist() == [1, 1, 3, 1, 1, 6, 1, 8]
    assert not thin.diagonal().isnan().any()
    assert thin[-1, 0] == thin[thin == thin].max() - 7  # each place was measured once, and the last row last
