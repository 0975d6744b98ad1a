"""Target networks: plain modules that know nothing of hypernetworks."""

import itertools
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

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


class Block(nn.Module):
    """Two convolutions and a way around them that has no weights (He's option A).

    Where the block halves the picture, the way around takes every other pixel; new channels are zeros there.
    """

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.stride, self.new = stride, outputs - inputs

    def forward(self, x: Float[Tensor, "batch inputs height width"]) -> Float[Tensor, "batch outputs high wide"]:
        """ReLU of the sum of both ways."""
        inner = F.relu(self.norm1(self.conv1(x)))
        around = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new)) if self.new else x
        return F.relu(self.norm2(self.conv2(inner)) + around)


class ResNet(nn.Sequential):
    """The residual network for small pictures [he2016], 6 blocks + 2 layers deep; `ResNet(60)` is a ResNet-32.

    Each of its convolutions has a bias. Behind batch norm that changes nothing, but the paper's count has them.

    Args:
        outputs: of all heads together.
        blocks: in each of the three stages; 5 make a ResNet-32, 1 a ResNet-8.
        width: channels of the first stage; each later stage has twice as many, on half as many pixels a side.
    """

    def __init__(self, outputs: int, blocks: int = 5, width: int = 16):
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
        for stage in range(3):
            for block in range(blocks):
                inputs, channels = channels, width * 2**stage
                layers.append(Block(inputs, channels, stride=2 if stage and not block else 1))
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, outputs))
        xavier_(self)


class ZenkeNet(nn.Sequential):
    """The convolutional network of synaptic intelligence's authors for 32 x 32 pictures [zenke2017]; no batch norm.

    Args:
        outputs: of all heads together.
        width: channels of the first two convolutions; 32 there, twice as many in the other two.
        dropout: behind each of the two stages; twice as much of the 16 x width units of the hidden layer.
        whole: behind a stage whole channels are dropped, as in the code of [oswald2020]; in that of SI's authors single
            units are.
    """

    def __init__(self, outputs: int, width: int = 32, dropout: float = 0.25, whole: bool = True):
        layers: list[nn.Module] = []
        behind = nn.Dropout2d if whole else nn.Dropout
        for inputs, channels in ((3, width), (width, 2 * width)):
            layers += [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU()]
            layers += [nn.Conv2d(channels, channels, 3), nn.ReLU(), nn.MaxPool2d(2), behind(dropout)]
        units = 16 * width
        layers += [nn.Flatten(), nn.Linear(2 * width * 6 * 6, units), nn.ReLU(), nn.Dropout(2 * dropout)]
        super().__init__(*layers, nn.Linear(units, outputs))
        xavier_(self)


class Mixed(nn.Module):
    """A network whose products are of bfloat16 numbers, and its activations between them; its weights are float32.

    The one place that decides how convolutional networks compute. On a CPU with units for bfloat16, a step of 32
    pictures through a ResNet-32 takes about two thirds of its time in float32, if the channels of the pictures lie
    together in memory. That they do from the start (`hnetlib.tasks.colours`), and each convolution keeps it so.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """What the network says, as float32."""
        with torch.autocast(x.device.type, torch.bfloat16):
            return self.network(x).float()


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
