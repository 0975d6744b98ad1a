"""Target networks: plain modules that know nothing of hypernetworks."""

import itertools
from collections.abc import Callable, Sequence

from torch import nn

from hnetlib.initialization import xavier_


class MLP(nn.Sequential):
    """Fully connected layers, inputs flattened; e.g. `MLP([784, 400, 400, 10])`.

    Args:
        sizes: number of inputs, of units in each hidden layer, and of outputs.
        activation: makes the nonlinearity between layers.
    """

    def __init__(self, sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU):
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in itertools.pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), activation()]
        super().__init__(*layers[:-1])
        xavier_(self)


def autoencoder(inputs: int, encoder: Sequence[int], decoder: Sequence[int], latent: int) -> tuple[MLP, MLP]:
    """The two networks of a variational autoencoder.

    Args:
        encoder: sizes of its hidden layers; it gives mean and logarithm of the variance of z, side by side.
        decoder: sizes of its hidden layers; it takes z and a vector of the same length that stands for the task.
        latent: length of z.
    """
    return MLP([inputs, *encoder, 2 * latent]), MLP([2 * latent, *decoder, inputs])


def discriminator(inputs: int, hidden: Sequence[int], dropout: float) -> MLP:
    """The critic of a GAN: one number for each input; hidden units are dropped at random in training."""
    return MLP([inputs, *hidden, 1], lambda: nn.Sequential(nn.LeakyReLU(0.2), nn.Dropout(dropout)))
