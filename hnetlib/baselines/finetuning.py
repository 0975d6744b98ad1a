"""No protection at all: train one network on task after task."""

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn, optim

from hnetlib.errors import UnknownTaskError
from hnetlib.learner import Training, train
from hnetlib.tasks import Task


@dataclass
class FineTuning:
    """A network that goes on learning where the last task left it."""

    module: nn.Module
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        self.heads: list[slice | None] = []

    def learn(self, task: Task) -> None:
        """Train all weights on the task, with a fresh Adam. If that does not end well, all is put back as it was.

        Raises:
            DivergedError: the loss became NaN or infinite.
        """
        optimizer = optim.Adam(self.module.parameters(), lr=self.training.learning_rate, fused=True)
        self.module.train()

        def step(x: Tensor, y: Tensor) -> Tensor:
            optimizer.zero_grad()
            outputs = self.module(x)
            loss = task.loss(outputs if task.head is None else outputs[..., task.head], y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        before = copy.deepcopy(self.module.state_dict())
        try:
            train(task, self.training, step)
        except BaseException:
            self.module.load_state_dict(before)
            raise
        self.heads.append(task.head)

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        """Outputs of the task's head.

        Raises:
            UnknownTaskError: no task was given, or one that was never learned.
        """
        if task is None or not 0 <= task < len(self.heads):
            raise UnknownTaskError(f"Task {task} was never learned; give one of 0 to {len(self.heads) - 1}.")
        self.module.eval()
        outputs, head = self.module(x), self.heads[task]
        return outputs if head is None else outputs[..., head]
