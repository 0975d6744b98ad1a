"""A replay model without protection: a VAE that has to replay its own past."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hnetlib.baselines.finetuning import FineTuning
from hnetlib.baselines.rehearsal import mixed
from hnetlib.tasks import Task
from hnetlib.vae import Draw, Latent, join, vae_loss


class Autoencoder(nn.Module):
    """The two networks of a VAE."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder


@dataclass
class ReplayedVAE(FineTuning):
    """The generator of deep generative replay (DGR) [shin2017]: half of its loss is that of its own old samples.

    Args:
        inputs: what the decoder starts from.
        replay: whether to replay at all; without, the VAE forgets.
        even: give the T-th task the weight 1/T instead of one half.
    """

    module: Autoencoder
    inputs: Latent = field(default_factory=Latent, kw_only=True)
    replay: bool = field(default=True, kw_only=True)
    even: bool = field(default=False, kw_only=True)

    def fit(self, task: Task) -> None:
        """Train encoder and decoder; the samples of the past are those of the decoder before the task."""
        tasks = range(len(self.heads) + 1)
        *self.old, self.constant = self.inputs.of_tasks(tasks, next(self.module.parameters()))
        self.past = self.recall() if self.heads and self.replay else None
        super().fit(task)

    def consolidate(self, task: Task) -> None:
        """The samples of the past are not needed any more."""
        self.past = None

    def loss(self, task: Task, x: Tensor, y: Tensor) -> Tensor:
        """Eq. 3, half of it for the task, half for the past."""
        present = self.of(x, self.constant)
        if not self.past:
            return present
        replayed = self.past(ceil(self.training.batch_size / len(self.heads)))
        constants = torch.stack(self.old).expand(*replayed.shape[:2], -1).flatten(0, 1)
        past = self.of(replayed.flatten(0, 1), constants)
        return mixed(present, past, len(self.heads), self.even)

    def of(self, x: Tensor, constant: Tensor) -> Tensor:
        """Eq. 3 for a batch, with the constant input of its task, or of each sample."""
        return vae_loss(x, self.module.encoder, lambda z: self.module.decoder(join(z, constant)))

    def recall(self) -> Draw:
        """Samples of every task learned so far, by a copy of the decoder."""
        tasks, decoder = range(len(self.heads)), copy.deepcopy(self.module.decoder)
        return self.inputs.draws(tasks, partial(decode, decoder), next(decoder.parameters()))

    def generate(self, tasks: Sequence[int], z: Float[Tensor, "tasks samples z"]) -> Float[Tensor, "tasks samples x"]:
        """Samples of each of some learned tasks from given latent vectors."""
        return decode(self.module.decoder, join(z, self.inputs.of_tasks(tasks, z)))


@torch.no_grad()
def decode(decoder: nn.Module, starts: Float[Tensor, "tasks samples z"]) -> Float[Tensor, "tasks samples x"]:
    """Pixels."""
    return decoder(starts.flatten(0, 1)).sigmoid().unflatten(0, starts.shape[:2])
