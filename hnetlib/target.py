"""Any `nn.Module` as a function of one flat weight vector (Sect. 2.1, "hypernetworks parameterize target models")."""

from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from hnetlib.errors import SizeError

Buffers = dict[str, Tensor]


def of_head(outputs: Float[Tensor, "... outputs"], head: slice | None) -> Tensor:
    """The outputs that belong to a task; None: all."""
    return outputs if head is None else outputs[..., head]


def as_pairs(heads: Iterable[slice | None]) -> list[tuple[int, int] | None]:
    """Heads as plain data, for a state that is saved: first output, and the one behind the last."""
    return [head and (head.start, head.stop) for head in heads]


def as_heads(pairs: Iterable[tuple[int, int] | None]) -> list[slice | None]:
    """The heads again."""
    return [pair and slice(*pair) for pair in pairs]


class TargetNetwork:
    """The target model f_trgt(x, Θ_trgt): a module whose trainable weights come from outside.

    The module itself is not rewritten: `torch.func.functional_call` puts the given weights in place of its
    parameters for one call. Names, shapes and order are those of `module.named_parameters()`; a parameter with
    `requires_grad=False` is not generated and stays as it is.

    Args:
        module: any `nn.Module`. The weights it holds itself are never read.
    """

    def __init__(self, module: nn.Module):
        self.module = module
        self.shapes = {name: p.shape for name, p in module.named_parameters() if p.requires_grad}
        self.sizes = [shape.numel() for shape in self.shapes.values()]
        self.num_weights = sum(self.sizes)

    def unflatten(self, weights: Float[Tensor, "... weights"]) -> dict[str, Tensor]:
        """Cut the flat vector Θ_trgt into named tensors. They are views: nothing is copied.

        Raises:
            SizeError: the vector is not `num_weights` long.
        """
        if weights.shape[-1] != self.num_weights:
            raise SizeError(
                f"The target network needs {self.num_weights:,} weights, but {weights.shape[-1]:,} were given. "
                "Build the hypernetwork with num_weights=target.num_weights."
            )
        pieces = weights.split(self.sizes, dim=-1)
        return {
            name: piece.unflatten(-1, shape) if shape else piece.squeeze(-1)
            for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
        }

    def __call__(
        self,
        weights: Float[Tensor, " weights"],
        x: Tensor,
        head: slice | None = None,
        buffers: Buffers | None = None,
    ) -> Tensor:
        """Compute f_trgt(x, Θ_trgt).

        Args:
            weights: the flat vector Θ_trgt.
            x: a batch of inputs, as the module takes it.
            head: which outputs belong to the task (the last axis is cut to them); None keeps all.
            buffers: what the module keeps besides weights, batch-norm statistics for one. In training mode the
                module updates these tensors in place. None uses (and updates) the module's own.
        """
        return of_head(functional_call(self.module, {**self.unflatten(weights), **(buffers or {})}, (x,)), head)

    def copy_buffers(self) -> Buffers:
        """A copy of the module's buffers, to be stored with a task."""
        return {name: buffer.clone() for name, buffer in self.module.named_buffers()}

    state_dict = copy_buffers  # what training leaves in the module itself: its weights come from outside

    def load_state_dict(self, state_dict: Buffers) -> None:
        """Put buffers back."""
        self.module.load_state_dict(state_dict, strict=False)
