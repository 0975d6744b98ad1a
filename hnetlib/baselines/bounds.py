"""What forgetting is measured against: a network for each task, and one that is never denied old data."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.func import functional_call

from hnetlib.baselines.finetuning import FineTuning
from hnetlib.errors import SizeError, learned
from hnetlib.initialization import xavier_
from hnetlib.learner import HyperNetLearner
from hnetlib.target import of_head
from hnetlib.tasks import Task

Weights = dict[str, Tensor]


@dataclass
class FromScratch(FineTuning):
    """A new network for each task, all of them kept: nothing to forget, nothing to transfer, T times the weights."""

    SHARED: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.new = copy.deepcopy(self.module)
        self.networks: list[Weights] = []

    def fit(self, task: Task) -> None:
        """Begin anew, with other random matrices, and train on the task alone."""
        if self.heads:
            self.module.load_state_dict(xavier_(copy.deepcopy(self.new)).state_dict())
        super().fit(task)

    def consolidate(self, task: Task) -> None:
        """Keep the task's network."""
        self.networks.append(copy.deepcopy(self.module.state_dict()))

    def answer(self, x: Tensor, task: int) -> Tensor:
        """Outputs of the task's own network."""
        return of_head(functional_call(self.module, self.networks[task], (x,)), self.heads[task])

    def state_dict(self) -> dict[str, Any]:
        """Every task's network."""
        return {**super().state_dict(), "networks": self.networks}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the place of the learner that gave this state."""
        super().load_state_dict(state_dict)
        self.networks = list(state_dict["networks"])


@dataclass
class Anew:
    """A new learner for each task, all of them kept: what another method does from scratch."""

    make: Callable[[], HyperNetLearner]

    def __post_init__(self) -> None:
        self.learners: list[HyperNetLearner] = []

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
