"""Online elastic weight consolidation: how much a weight matters is told by the Fisher information."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from hnetlib.baselines.quadratic import Quadratic
from hnetlib.errors import SizeError
from hnetlib.tasks import Loss, Split, Task


@dataclass
class EWC(Quadratic):
    """Online EWC [schwarz2018], after [kirkpatrick2017]: the loss gets λ/2 Σ_k F̃_k (θ_k - θ*_k)².

    Ω is F̃, a decaying sum over tasks: F̃_t = γ F̃_{t-1} + F_t.

    F_t is the diagonal of the empirical Fisher information: the mean over the task's training examples (x, y) of
    (∂ log p(y | x, θ) / ∂θ_k)².

    Raises:
        SizeError: the network has weights outside of linear layers.
    """

    FACTOR: ClassVar[float] = 0.5
    gamma: float = 1.0  # γ, how much of the older tasks is kept
    examples: int | None = None  # how many of the task's, drawn at random, F_t is estimated from; None: all

    def __post_init__(self) -> None:
        super().__post_init__()
        self.linear = [layer for layer in self.module.modules() if isinstance(layer, nn.Linear)]
        if len({p for layer in self.linear for p in layer.parameters()}) < len(self.weights):
            raise SizeError("EWC here knows the Fisher information of linear layers only; this network has others.")

    def updated(self, task: Task) -> list[Tensor]:
        """F̃ after the task."""
        fisher = [torch.zeros_like(p) for p in self.weights]
        self.module.eval()
        asked = task.train
        if self.examples and self.examples < len(asked):
            chosen = torch.randperm(len(asked), device=asked.y.device)[: self.examples]
            asked = Split(asked.x[chosen], asked.y[chosen])
        for x, y in asked.batches(1000):
            squares = self.squares(task.transform(x), y, task.head, task.loss)
            torch._foreach_add_(fisher, squares, alpha=1 / len(asked))
        return [self.gamma * old + new for old, new in zip(self.importance, fisher, strict=True)]

    def squares(self, x: Tensor, y: Tensor, head: slice | None, loss: Loss) -> list[Tensor]:
        """Σ over examples of the squared gradient of each example's own loss, a tensor for each parameter.

        In a linear layer the gradient for one example is δ aᵀ, with inputs a and the gradient δ for the outputs. Its
        entries squared are δ² (a²)ᵀ. So the sum over examples is one product of two matrices.
        """
        found: dict[Tensor, Tensor] = {}

        def watch(layer: nn.Module, arguments: tuple[Tensor, ...], outputs: Tensor) -> None:
            """In the forward pass: a is there; wait for δ."""
            assert isinstance(layer, nn.Linear)

            def square(delta: Tensor) -> None:
                """In the backward pass: δ is there."""
                squared = delta.square()
                found[layer.weight] = squared.T @ arguments[0].square()
                if layer.bias is not None:
                    found[layer.bias] = squared.sum(0)

            outputs.register_hook(square)

        hooks: list[RemovableHandle] = [layer.register_forward_hook(watch) for layer in self.linear]
        try:
            whole = loss(self.outputs(x, head), y) * len(y)  # each example's own loss counts in full, not as a mean
            torch.autograd.grad(whole, self.weights)
        finally:
            for hook in hooks:
                hook.remove()
        return [found[p].detach() for p in self.weights]
