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
