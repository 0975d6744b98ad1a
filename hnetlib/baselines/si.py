"""Synaptic intelligence: how much a weight matters is told by what it did for the loss on its way."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hnetlib.baselines.quadratic import Quadratic
from hnetlib.checkpoint import Stateful
from hnetlib.tasks import Task


class PathIntegral:
    """ω: for each weight -∫ ∂L/∂θ dθ along the way of training, a sum over steps; Σ_k ω_k is what the loss fell."""

    def __init__(self, weights: list[Tensor]):
        self.work = [torch.zeros_like(p) for p in weights]

    def add(self, gradients: list[Tensor], before: list[Tensor], after: list[Tensor]) -> None:
        """One step of the optimizer."""
        moved = torch._foreach_sub(before, after)
        torch._foreach_addcmul_(self.work, gradients, moved)

    def state_dict(self) -> dict[str, list[Tensor]]:
        """The work done so far."""
        return {"work": self.work}

    def load_state_dict(self, state_dict: dict[str, list[Tensor]]) -> None:
        """Go on from there."""
        self.work = [p.clone() for p in state_dict["work"]]


@dataclass
class SI(Quadratic):
    """Synaptic intelligence [zenke2017]: the loss gets c Σ_k Ω_k (θ_k - θ*_k)².

    After each task Ω_k grows by ω_k / ((Δθ_k)² + ξ). The path integral ω takes the gradient of the task's loss alone,
    as SI's authors do, or of loss and penalty together, as the code of [vandeven2019] does.
    """

    damping: float = 0.1  # ξ
    together: bool = False  # the gradient of loss and penalty together

    def fit(self, task: Task) -> None:
        """Train, and watch what each weight contributes."""
        self.path = PathIntegral(self.anchor)
        super().fit(task)

    @torch.no_grad()
    def before_step(self) -> None:
        """Note the gradient, before or after the penalty is added, and the place."""
        if self.together:
            super().before_step()
        self.gradients = [p.grad.clone() for p in self.weights if p.grad is not None]
        self.before = [p.detach().clone() for p in self.weights]
        if not self.together:
            super().before_step()

    @torch.no_grad()
    def after_step(self) -> None:
        """Add up -g Δθ."""
        self.path.add(self.gradients, self.before, self.weights)

    @torch.no_grad()
    def updated(self, task: Task) -> list[Tensor]:
        """Ω after the task."""
        parts = zip(self.importance, self.path.work, self.weights, self.anchor, strict=True)
        return [old + work / ((p - a).square() + self.damping) for old, work, p, a in parts]

    def trained(self) -> Mapping[str, Stateful]:
        """The path integral belongs to the state of training."""
        return {"path": self.path}
