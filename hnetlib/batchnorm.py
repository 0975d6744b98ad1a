"""Three ways to treat the statistics of batch norm in continual learning (Appendix C, split CIFAR-10/100).

*Stored*: each task's running statistics are kept beside it. Learners do so by themselves; nothing is needed here.
*Batch*: statistics of the batch at hand, at test time, too. *Generated*: weights like others, made by the hypernetwork.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def batch_statistics(module: nn.Module) -> nn.Module:
    """Let each batch-norm layer use the batch at hand, at test time, too, and keep no statistics; in place."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.track_running_stats = False
            layer.running_mean = layer.running_var = layer.num_batches_tracked = None
    return module


def generated_statistics(module: nn.Module) -> nn.Module:
    """Put `GeneratedStatistics` in place of each batch-norm layer: whoever makes the weights makes them, too."""
    for name, layer in module.named_children():
        if isinstance(layer, nn.BatchNorm2d):
            setattr(module, name, GeneratedStatistics(layer.num_features, layer.eps))
        else:
            generated_statistics(layer)
    return module


class GeneratedStatistics(nn.BatchNorm2d):
    """Batch norm whose statistics for test time are trainable weights, two for each channel.

    An ordinary layer moves its running mean m towards the mean b of a batch by m ← m + ρ (b - m). This is a step of
    gradient descent on ½ (m - b)² with rate ρ. Here such a gradient reaches whoever makes the statistics. Made are the
    mean in units of the standard deviation and a tenth of the variance's logarithm, so that all are numbers of the same
    size as other weights. In training the output is that of any batch norm.
    """

    UNIT = 10.0  # of the logarithm

    def __init__(self, num_features: int, eps: float = 1e-5):
        super().__init__(num_features, eps, track_running_stats=False)
        self.mean = nn.Parameter(torch.zeros(num_features))
        self.log_var = nn.Parameter(torch.zeros(num_features))

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        """Normalize by the batch in training, by the trained statistics at test time."""
        if not self.training:
            var = (self.UNIT * self.log_var.detach()).exp()  # with ε; PyTorch has no gradient for statistics
            mean = self.mean.detach() * var.sqrt()
            return F.batch_norm(x, mean, var, self.weight, self.bias, eps=1e-30)  # older PyTorch refuses 0
        var, mean = torch.var_mean(x.detach().float(), dim=(0, 2, 3))
        x = Follow.apply(x, self.mean, mean / (var + self.eps).sqrt())
        return super().forward(Follow.apply(x, self.log_var, (var + self.eps).log() / self.UNIT))


class Follow(torch.autograd.Function):
    """x as it is; `value` gets the gradient of ½ ‖value - seen‖², whatever happens to x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, seen: Tensor) -> Tensor:
        """x."""
        ctx.gradient = value - seen
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        """Of x that which comes, of `value` its own."""
        return grad, ctx.gradient, None
