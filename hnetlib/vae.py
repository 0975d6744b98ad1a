"""The variational autoencoder of Appendix B: its loss, and what its decoder starts from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from hnetlib.checkpoint import Stateful
from hnetlib.tasks import Task

Draw = Callable[[int], Float[Tensor, "tasks samples inputs"]]  # so many samples of each task


class Memory(Stateful, Protocol):
    """What replays the past: learns task after task, and draws samples of all of them."""

    def learn(self, task: Task) -> None:
        """Learn one more task."""

    def recall(self) -> Draw:
        """Samples of every task learned so far. What does not change from draw to draw is done here, once.

        Later learning does not change what is drawn.
        """
        ...


class Generator(Memory, Protocol):
    """A memory that makes samples out of random vectors."""

    inputs: "Latent"

    def generate(self, tasks: Sequence[int], z: Float[Tensor, "tasks samples z"]) -> Float[Tensor, "tasks samples x"]:
        """Samples of each of some learned tasks from given latent vectors."""
        ...


@dataclass(frozen=True)
class Latent:
    """What a decoder starts from: a latent vector z, and an input that is constant for each task.

    The constant input is drawn from N(0, 1) once a task, and neither learned nor changed (Appendix C). It follows from
    the seed and the task's number, so that nothing needs to be stored.
    """

    size: int = 100  # length of z
    constant: int = 100  # length of the task's own input; 0: there is none
    seed: int = 0

    def of_task(self, task: int) -> Float[Tensor, " constant"]:
        """The constant input of a task, counted from 0."""
        return torch.randn(self.constant, generator=torch.Generator().manual_seed(1_000_003 * self.seed + task))

    def of_tasks(self, tasks: Sequence[int], like: Tensor) -> Float[Tensor, "tasks 1 constant"]:
        """Those of several tasks, on the device of a tensor."""
        return torch.stack([self.of_task(task) for task in tasks])[:, None].to(like)

    def draws(self, tasks: Sequence[int], decode: Callable[[Tensor], Tensor], like: Tensor) -> Draw:
        """Random samples of several tasks; `decode` makes them of "tasks samples z", each task in its own way."""
        constants = self.of_tasks(tasks, like)

        def draw(samples: int) -> Float[Tensor, "tasks samples inputs"]:
            """From new latent vectors every time."""
            z = torch.randn(len(tasks), samples, self.size, device=constants.device)
            return decode(join(z, constants))

        return draw


def join(z: Float[Tensor, "*batch z"], constant: Float[Tensor, "*task constant"]) -> Float[Tensor, "*batch inputs"]:
    """The decoder's input: z and, the same for all samples of a task, the task's own vector."""
    return torch.cat([z, constant.expand(*z.shape[:-1], -1)], dim=-1)


def vae_loss(
    x: Float[Tensor, " batch *pixels"], encoder: Callable[[Tensor], Tensor], decode: Callable[[Tensor], Tensor]
) -> Float[Tensor, ""]:
    """Eq. 3, per pixel: the mean binary cross-entropy of pixels (Eq. 4) and the prior's term (Eq. 5).

    Args:
        x: pixels in [0, 1].
        encoder: from x to mean and logarithm of the variance of z, side by side.
        decode: from z to the logits of pixels, flat.
    """
    x = x.flatten(1)
    mean, log_variance = encoder(x).chunk(2, dim=-1)
    z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    prior = -(1 + log_variance - log_variance.exp() - mean.square()).sum(dim=-1).mean() / 2
    return F.binary_cross_entropy_with_logits(decode(z), x) + prior / x.shape[1]
