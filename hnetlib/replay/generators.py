"""Generators whose weights come from a protected hypernetwork: a decoder (Eqs. 3-5), and the generator of a GAN."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vmap

from hnetlib.learner import HyperNetLearner
from hnetlib.tasks import Task
from hnetlib.vae import Draw, Latent, join, vae_loss


@dataclass
class ProtectedGenerator(HyperNetLearner):
    """The target network makes samples of a task out of random vectors.

    Args:
        partner: the network that it learns from: the encoder of a VAE, the discriminator of a GAN. It is an ordinary
            network that goes on learning from task to task, and is not protected: replay does not need it.
        inputs: what the target network starts from; it gives logits of pixels.
    """

    partner: nn.Module = field(kw_only=True)
    inputs: Latent = field(default_factory=Latent, kw_only=True)

    def companions(self) -> dict[str, nn.Module]:
        """The partner."""
        return {"partner": self.partner}

    @property
    def constant(self) -> Float[Tensor, " constant"]:
        """The constant input of the task that is being learned."""
        weight = self.hnet.last.weight
        return constant_input(self.inputs, self.hnet.num_tasks - 1, weight.device, weight.dtype)

    def recall(self) -> Draw:
        """Samples of every task learned so far; the decoders are generated here, once."""
        tasks = range(self.hnet.num_tasks)
        decoders = self.weights_of(tasks)
        return self.inputs.draws(tasks, lambda starts: self.decode(decoders, starts), self.hnet.last.weight)

    def generate(self, tasks: Sequence[int], z: Float[Tensor, "tasks samples z"]) -> Float[Tensor, "tasks samples x"]:
        """Samples of each of some learned tasks from given latent vectors.

        Raises:
            UnknownTaskError: one of the tasks was never learned.
        """
        return self.decode(self.weights_of(tasks), join(z, self.inputs.of_tasks(tasks, z)))

    @torch.no_grad()
    def decode(self, decoders: dict[str, Tensor], starts: Float[Tensor, "tasks samples z"]) -> Tensor:
        """Pixels: for each task, its decoder applied to its starts."""
        return vmap(lambda weights, z: functional_call(self.target.module, weights, (z,)))(decoders, starts).sigmoid()


@cache
def constant_input(inputs: Latent, task: int, device: torch.device, dtype: torch.dtype) -> Float[Tensor, " constant"]:
    """A task's constant input, sent to a device once: sending makes a GPU wait."""
    return inputs.of_task(task).to(device, dtype)


@dataclass
class ProtectedVAE(ProtectedGenerator):
    """A variational autoencoder whose decoder is generated (Fig. A1a). The partner is the encoder."""

    def loss(self, task: Task, weights: Float[Tensor, " weights"], x: Tensor, y: Tensor) -> Tensor:
        """Eqs. 3-5; labels are not used."""
        return vae_loss(x, self.partner, lambda z: self.target(weights, join(z, self.constant)))


@dataclass
class ProtectedGAN(ProtectedGenerator):
    """A generative adversarial network whose generator is generated (Fig. A1b). The partner is the discriminator.

    Its loss is the Pearson χ² least-squares loss [mao2017]: the discriminator D says 1 for true pictures and -1 for
    made ones, the generator wants it to say 0. Both learn in the same step: each has a term of its own, in which the
    other is a constant. The discriminator gets pixels in [-1, 1], as in the released code: most are black, and zeros
    would leave it little to learn from.
    """

    def loss(self, task: Task, weights: Float[Tensor, " weights"], x: Tensor, y: Tensor) -> Tensor:
        """½ E[(D(x) - 1)²] + ½ E[(D(G(z)) + 1)²], for the discriminator, and ½ E[D(G(z))²], for the generator."""
        x, z = x.flatten(1), torch.randn(len(x), self.inputs.size, device=x.device)
        made = self.target(weights, join(z, self.constant)).sigmoid()
        real, fake = self.partner(2 * x - 1), self.partner(2 * made.detach() - 1)
        frozen = {name: p.detach() for name, p in self.partner.named_parameters()}
        fooled = functional_call(self.partner, frozen, (2 * made - 1,))
        return ((real - 1).square().mean() + (fake + 1).square().mean() + fooled.square().mean()) / 2
