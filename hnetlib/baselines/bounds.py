"""What forgetting is measured against: a network for each task, and one that is never denied old data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from hnetlib.baselines.finetuning import FineTuning
from hnetlib.errors import SizeError, learned
from hnetlib.tasks import Task


@dataclass
class FromScratch:
    """A new learner for each task, all of them kept: nothing to forget, nothing to transfer, T times the weights.

    Args:
        make: gives a new learner, with random weights of its own.
    """

    make: Callable[[], Any]

    def __post_init__(self) -> None:
        self.learners: list[Any] = []

    def learn(self, task: Task) -> None:
        """Learn one more task; what was learned before plays no part.

        Raises:
            DivergedError: the loss became NaN or infinite.
        """
        learner = self.make()
        learner.learn(task)
        self.learners.append(learner)

    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        """What the task's own learner says.

        Raises:
            UnknownTaskError: no task was given, or one that was never learned.
        """
        return self.learners[learned(task, len(self.learners), "learner")].predict(x, 0)

    def state_dict(self) -> dict[str, Any]:
        """Every task's learner."""
        return {"learners": [learner.state_dict() for learner in self.learners]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the place of the learner that gave this state."""
        self.learners = [self.make() for _ in state_dict["learners"]]
        for learner, state in zip(self.learners, state_dict["learners"], strict=True):
            learner.load_state_dict(state)


@dataclass
class Joint(FineTuning):
    """Multi-task learning: all data of earlier tasks stay at hand. What a learner could do if it need not remember.

    Every step sees, in one minibatch, equally many samples of each task so far; their losses are averaged.

    Args:
        tasks: all that will be learned, in that order.
    """

    tasks: Sequence[Task] = field(kw_only=True)

    def fit(self, task: Task) -> None:
        """Train on the task and on those before it.

        Raises:
            SizeError: it is not the next one of `tasks`.
        """
        t = len(self.heads)
        if t >= len(self.tasks) or self.tasks[t] is not task:
            raise SizeError(f"Joint training was promised other tasks: number {t + 1} is not {task.name!r}.")
        super().fit(task)

    def loss(self, task: Task, x: Tensor, y: Tensor) -> Tensor:
        """The mean over tasks of the loss on a share of the minibatch."""
        earlier = self.tasks[: len(self.heads)]
        share = -(-len(y) // (len(earlier) + 1))
        losses = [super().loss(task, x[:share], y[:share])]
        for old in earlier:
            drawn = torch.randint(len(old.train), (share,), device=y.device)
            losses.append(super().loss(old, *old.batch(drawn)))
        return torch.stack(losses).mean()
