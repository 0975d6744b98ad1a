"""What EWC and SI share: each weight is held where the last task left it, by a spring of its own stiffness."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, optim

from hnetlib.baselines.finetuning import FineTuning
from hnetlib.tasks import Task


@dataclass
class Quadratic(FineTuning):
    """Adds FACTOR · strength · Σ_k Ω_k (θ_k - θ*_k)² to the loss: weights θ, their values θ* after the last task.

    Its gradient, 2 · FACTOR · strength · Ω (θ - θ*), is added to that of the task's loss directly.
    """

    strength: float = 1.0  # λ of EWC, c of SI
    one_adam: bool = field(default=False, kw_only=True)  # for all tasks, as in the code of [vandeven2019]
    FACTOR: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.weights: list[Tensor] = [p for p in self.module.parameters() if p.requires_grad]
        self.anchor = [p.detach().clone() for p in self.weights]  # θ*
        self.importance = [torch.zeros_like(p) for p in self.weights]  # Ω
        self.kept = super().adam() if self.one_adam else None

    def adam(self) -> optim.Adam:
        """The optimizer for one more task: a fresh one, or that of the last task with its moments."""
        return self.kept or super().adam()

    @torch.no_grad()
    def before_step(self) -> None:
        """Add the penalty's gradient."""
        if not self.heads or not self.strength:  # nothing to hold yet
            return
        pull = torch._foreach_sub(self.weights, self.anchor)
        torch._foreach_mul_(pull, self.importance)
        torch._foreach_add_(
            [p.grad for p in self.weights if p.grad is not None], pull, alpha=2 * self.FACTOR * self.strength
        )

    def consolidate(self, task: Task) -> None:
        """Find what matters for the task, and set the anchor here."""
        self.importance = self.updated(task)
        self.anchor = [p.detach().clone() for p in self.weights]

    def updated(self, task: Task) -> list[Tensor]:
        """Ω after the task."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """The network and what holds it; the optimizer, if it is kept."""
        kept = {"optimizer": self.kept.state_dict()} if self.kept else {}
        return {**super().state_dict(), "anchor": self.anchor, "importance": self.importance, **kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the place of the learner that gave this state."""
        super().load_state_dict(state_dict)
        self.anchor, self.importance = state_dict["anchor"], state_dict["importance"]
        if self.kept:
            self.kept.load_state_dict(state_dict["optimizer"])
