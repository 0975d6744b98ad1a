"""No protection at all: train one network on task after task."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn, optim

from hnetlib.checkpoint import Stateful, all_or_nothing
from hnetlib.errors import learned
from hnetlib.learner import Training, train
from hnetlib.target import as_heads, as_pairs, of_head
from hnetlib.tasks import Task


@dataclass
class FineTuning:
    """A network that goes on learning where the last task left it.

    Methods that do more fill in `adam`, `loss`, `before_step`, `after_step` and `consolidate`.
    """

    SHARED: ClassVar[bool] = True  # the same hidden layers answer for every task
    module: nn.Module
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        self.heads: list[slice | None] = []

    def learn(self, task: Task) -> None:
        """Learn one more task. If that does not end well (Ctrl-C, too), all is put back as it was.

        Raises:
            DivergedError: the loss became NaN or infinite.
        """
        with all_or_nothing(self):
            self.fit(task)
            self.consolidate(task)
            self.heads.append(task.head)

    def fit(self, task: Task) -> None:
        """Train all weights on the task."""
        optimizer = self.adam()
        self.module.train()

        def step(x: Tensor, y: Tensor) -> Tensor:
            """A step of Adam, and what a method adds before and after it."""
            optimizer.zero_grad()
            loss = self.loss(task, x, y)
            loss.backward()
            self.before_step()
            optimizer.step()
            self.after_step()
            return loss.detach()

        trained: dict[str, Stateful] = {"module": self.module, "optimizer": optimizer, **self.trained()}
        train(task, self.training, step, trained, outputs=partial(self.now, head=task.head))

    def adam(self) -> optim.Adam:
        """The optimizer for one more task: a fresh one."""
        return self.training.adam(self.module.parameters())

    def now(self, x: Tensor, head: slice | None) -> Tensor:
        """Outputs for the task that is being learned, in the middle of it."""
        self.module.eval()
        outputs = self.outputs(x, head)
        self.module.train()
        return outputs

    def loss(self, task: Task, x: Tensor, y: Tensor) -> Tensor:
        """What a minibatch of the task asks to be small."""
        return task.loss(self.outputs(x, task.head), y)

    def outputs(self, x: Tensor, head: slice | None) -> Tensor:
        """What a head says."""
        return of_head(self.module(x), head)

    def before_step(self) -> None:
        """Gradients of the task's loss are there."""

    def after_step(self) -> None:
        """The optimizer has moved the weights."""

    def consolidate(self, task: Task) -> None:
        """The task is learned."""

    def trained(self) -> Mapping[str, Stateful]:
        """What training changes besides the network."""
        return {}

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        """Outputs of the task's head.

        None is an answer without the task: from the last head, where it has the outputs of all (CL2; `one_softmax`).

        Raises:
            UnknownTaskError: no task was given where heads differ, or one that was never learned.
        """
        self.module.eval()
        if task is None and self.SHARED and self.last_head_covers_all():
            task = len(self.heads) - 1
        return self.answer(x, learned(task, len(self.heads), "learner"))

    def last_head_covers_all(self) -> bool:
        """Whether no task has an output that the last one has not."""
        if None in self.heads or not self.heads:
            return set(self.heads) == {None}
        spans = [(head.start, head.stop) for head in self.heads if head]
        first, end = spans[-1]
        return all(first <= start and stop <= end for start, stop in spans)

    def answer(self, x: Tensor, task: int) -> Tensor:
        """Outputs for a task that was learned."""
        return self.outputs(x, self.heads[task])

    def state_dict(self) -> dict[str, Any]:
        """The network, and each task's head."""
        return {"module": self.module.state_dict(), "heads": as_pairs(self.heads)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the place of the learner that gave this state."""
        self.module.load_state_dict(state_dict["module"])
        self.heads = as_heads(state_dict["heads"])
