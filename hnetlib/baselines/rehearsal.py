"""A classifier that is trained on a replayed past along with the present; where the past comes from is open."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from hnetlib.baselines.finetuning import FineTuning
from hnetlib.errors import SizeError
from hnetlib.tasks import Scenario, Task
from hnetlib.vae import Draw, Memory

CLOSED = -1e9  # the logit of a class that may not be answered: probability 0, and 0 times its logarithm is 0


@dataclass
class Rehearsal(FineTuning):
    """Half of the loss is the new task's, half that of replayed samples of all earlier ones (Appendices B and C).

    Replayed samples have soft targets: what the network said of them before the new task, at a temperature of 2 as
    in [vandeven2018]. Within a task the classifier comes first, then the memory. Which memory it is makes the method:
    generators from a hypernetwork (HNET+R), a VAE that replays for itself (DGR+distill), true data (an upper bound).

    In CL1 a sample of task t is answered in the head of task t; otherwise there is one softmax over the last head,
    which in CL3 has all classes so far (see `hnetlib.tasks.one_softmax`).

    Args:
        memory: learns every task but the last.
        scenario: what is known at test time.
        num_tasks: how many tasks there will be; None: not known, so the memory learns each of them.
        temperature: of the soft targets.
        even: give the T-th task the weight 1/T instead of one half, as the code of [vandeven2018] does.
        leave_room: in soft targets, a class that is new has the logit 0, as in the paper's code, instead of no
            probability at all, as in [vandeven2018]. Matters in CL3 alone: elsewhere a task brings no new class.
    """

    memory: Memory = field(kw_only=True)
    scenario: Scenario = Scenario.CL1
    num_tasks: int | None = None
    temperature: float = 2.0
    even: bool = False
    leave_room: bool = False

    def fit(self, task: Task) -> None:
        """Train the classifier, with the past if there is one."""
        self.past = self.replay(task) if self.heads else None
        super().fit(task)

    def consolidate(self, task: Task) -> None:
        """Train the memory, if there will be another task."""
        self.past = None
        if len(self.heads) + 1 != self.num_tasks:
            self.memory.learn(task)

    def loss(self, task: Task, x: Tensor, y: Tensor) -> Tensor:
        """Half of it the task's own, half that of the past; or by the number of tasks."""
        present = super().loss(task, x, y)
        return mixed(present, self.past(), len(self.heads), self.even) if self.past else present

    def replay(self, task: Task) -> Callable[[], Tensor]:
        """The loss of a new batch of the past, spread evenly over earlier tasks, at every call."""
        draw, old = self.memory.recall(), copy.deepcopy(self.module).eval()
        each = ceil(self.training.batch_size / len(self.heads))
        own = self.scenario is Scenario.CL1
        then = opened(self.heads if own else [self.heads[-1]]).to(next(old.parameters()).device)
        now = opened(self.heads if own else [task.head]).to(then.device)

        def past() -> Tensor:
            """What the network says of new samples, against what it said of them before the task."""
            x = draw(each)
            shape, x = x.shape[:2], x.flatten(0, 1)
            with torch.no_grad():
                said = closed(old(x).unflatten(0, shape), then)
            return self.compare(closed(self.module(x).unflatten(0, shape), now), said)

        return past

    def compare(
        self, says: Float[Tensor, "tasks samples now"], said: Float[Tensor, "tasks samples then"]
    ) -> Float[Tensor, ""]:
        """Distillation [hinton2015]: cross-entropy of softened outputs."""
        said = F.pad(said, (0, says.shape[-1] - said.shape[-1]), value=0.0 if self.leave_room else CLOSED)
        probability = (said / self.temperature).softmax(dim=-1)
        log_probability = (says / self.temperature).log_softmax(dim=-1)
        return -(probability * log_probability).sum(dim=-1).mean() * self.temperature**2

    def state_dict(self) -> dict[str, Any]:
        """The network, the heads, and the memory."""
        return {**super().state_dict(), "memory": self.memory.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the place of the learner that gave this state."""
        super().load_state_dict(state_dict)
        self.memory.load_state_dict(state_dict["memory"])


def mixed(present: Tensor, past: Tensor, earlier: int, even: bool) -> Tensor:
    """Half and half; or every task alike, the new one and so many earlier ones."""
    return torch.lerp(past, present, 1 / (earlier + 1) if even else 1 / 2)


def opened(heads: Sequence[slice | None]) -> Bool[Tensor, "heads 1 outputs"]:
    """Which outputs belong to each head.

    Raises:
        SizeError: a task has no head.
    """
    if any(head is None for head in heads):
        raise SizeError("Replay needs tasks that say which outputs are theirs: give each Task a head.")
    rows = torch.zeros(len(heads), 1, max(head.stop for head in heads if head), dtype=torch.bool)
    for row, head in zip(rows, heads, strict=True):
        row[:, head] = True
    return rows


def closed(outputs: Float[Tensor, "tasks samples outputs"], mask: Bool[Tensor, "heads 1 open"]) -> Tensor:
    """Outputs up to the last one that is open, all others closed."""
    return outputs[..., : mask.shape[-1]].masked_fill(~mask, CLOSED)


class OldData:
    """True data of earlier tasks in place of generated ones: with it, rehearsal is the upper bound of replay.

    Args:
        tasks: all that will be learned, in that order.
    """

    def __init__(self, tasks: Sequence[Task]):
        self.tasks, self.known = tasks, 0

    def learn(self, task: Task) -> None:
        """Keep the task's data."""
        self.known += 1

    def recall(self) -> Draw:
        """Random training data of every task so far."""
        old = self.tasks[: self.known]

        def draw(samples: int) -> Float[Tensor, "tasks samples inputs"]:
            """Of each task as many, drawn with replacement."""
            rows = [torch.randint(len(task.train), (samples,), device=task.train.y.device) for task in old]
            return torch.stack([task.batch(row)[0].flatten(1) for task, row in zip(old, rows, strict=True)])

        return draw

    def state_dict(self) -> dict[str, Any]:
        """How many tasks it knows."""
        return {"known": self.known}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Know as many."""
        self.known = state_dict["known"]
