"""How weights start. Facts that the paper leaves to its code: Xavier-uniform matrices and zero biases everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from hnetlib.hypernet import HyperNetwork
    from hnetlib.target import TargetNetwork


def xavier_(module: nn.Module) -> nn.Module:
    """Xavier-uniform matrices [glorot2010], zero biases, in place: what the paper's code does to every network.

    For a hypernetwork it matters much: PyTorch's own default makes the generated weights several times larger
    than the weights of a network that is trained directly.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


def pytorch_(module: nn.Module) -> nn.Module:
    """PyTorch's default: both weights and biases uniform within 1/sqrt(fan in), in place."""
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            layer.reset_parameters()
    return module


@torch.no_grad()
def hyperfan_(hnet: HyperNetwork, target: TargetNetwork, gain: float = 2.0) -> HyperNetwork:
    """Give each *generated* weight the variance that its place in the target asks for, in place.

    The idea of "hyperfan-in" [chang2020]: a generated matrix with d inputs should have the variance gain / d
    (gain 2 for ReLU, 1 for linear [he2015]), a generated bias 0. A generated weight is the product of a row of
    the last layer with k features h, so the row's entries get the variance (gain / d) / (k E[h²]). Chang et al.
    derive E[h²]; we measure it on random embeddings. One row serves all chunks: it gets their mean variance,
    so the rule is exact for a full hypernetwork and holds on average for a chunked one.
    """
    xavier_(hnet)
    wanted = torch.cat(
        [
            torch.full((shape.numel(),), gain / shape[1:].numel() if len(shape) > 1 else 0.0)
            for shape in target.shapes.values()
        ]
    ).to(hnet.last.weight)
    padded = wanted.new_zeros(hnet.num_chunks * hnet.chunk_size)
    padded[: len(wanted)] = wanted
    features = hnet.body(torch.randn(256, hnet.task_dim).to(wanted))
    per_row = padded.view(hnet.num_chunks, -1).mean(0) / features.square().sum(-1).mean()
    hnet.last.weight.copy_(torch.randn_like(hnet.last.weight) * per_row.sqrt()[:, None])
    return hnet
