"""What a generator makes of each task, right after it was learned and ever after; and a judge of it (Fig. A8)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from hnetlib.tasks import Task
from hnetlib.vae import Generator

SHOWN = 8  # samples of each task to look at
JUDGED = 1000  # samples of each task to be judged


@dataclass
class Gallery:
    """A generator, and samples of each of its tasks from when the task was new. The latent vectors are always the same.

    Args:
        judge: a classifier of true data of all tasks, their classes side by side.
    """

    generator: Generator
    judge: nn.Module
    first: list[UInt8[Tensor, "samples inputs"]] = field(default_factory=list)

    def learn(self, task: Task) -> None:
        """Learn one more task, and keep samples of it."""
        self.generator.learn(task)
        self.first.append(self.look([len(self.first)])[0])

    def look(self, tasks: Sequence[int]) -> UInt8[Tensor, "tasks samples inputs"]:
        """Samples of some tasks, as they are now, as bytes."""
        return (self.samples(tasks, SHOWN) * 255).round().byte().cpu()

    def samples(self, tasks: Sequence[int], count: int) -> Float[Tensor, "tasks samples inputs"]:
        """Samples of some tasks; always from the same latent vectors."""
        z = torch.randn(count, self.generator.inputs.size, generator=torch.Generator().manual_seed(0))
        return self.generator.generate(tasks, z.to(next(self.judge.parameters())).expand(len(tasks), -1, -1))

    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        """What the judge says of inputs."""
        return self.judge(x)

    def state_dict(self) -> dict[str, Any]:
        """The generator and the kept samples; the judge does not change."""
        return {"generator": self.generator.state_dict(), "first": self.first}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the place of the gallery that gave this state."""
        self.generator.load_state_dict(state_dict["generator"])
        self.first = list(state_dict["first"])


@torch.no_grad()
def recognized(gallery: Any, task: Task, index: int) -> float:
    """How many samples of a task the gallery's judge takes for that task, in percent: a measure for `learn_all`.

    The tasks have as many classes each; a sample counts as recognized if it is taken for any of its task's.
    """
    gallery.judge.eval()
    classes = task.head.stop - task.head.start if task.head else 1
    answers = gallery.judge(gallery.samples([index], JUDGED)[0]).argmax(dim=-1)
    return (answers // classes == index).double().mean().item() * 100
