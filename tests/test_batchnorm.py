"""The treatments of batch-norm statistics, each against what it should equal."""

import torch
from torch import nn
from torch.nn import functional as F

from hnetlib.batchnorm import Follow, GeneratedStatistics, batch_statistics, generated_statistics
from hnetlib.networks import ResNet
from hnetlib.target import TargetNetwork

X = 3 * torch.randn(16, 4, 5, 5) + 2


def norms(module: nn.Module) -> list[nn.Module]:
    return [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]


def test_batch_statistics_are_used_at_test_time_and_none_are_kept() -> None:
    net = batch_statistics(ResNet(4, blocks=1, width=4))
    x = torch.rand(8, 3, 32, 32)
    torch.testing.assert_close(net.eval()(x), net.train()(x))
    assert not list(net.buffers())
    assert TargetNetwork(net).num_weights == TargetNetwork(ResNet(4, blocks=1, width=4)).num_weights


def test_generated_statistics_are_two_more_weights_for_each_channel() -> None:
    plain, made = ResNet(4, blocks=1, width=4), generated_statistics(ResNet(4, blocks=1, width=4))
    assert all(isinstance(layer, GeneratedStatistics) for layer in norms(made)) and len(norms(made)) == 7
    channels = sum(layer.num_features for layer in norms(plain) if isinstance(layer, nn.BatchNorm2d))
    assert TargetNetwork(made).num_weights == TargetNetwork(plain).num_weights + 2 * channels
    assert not list(made.buffers())
    x = torch.rand(8, 3, 32, 32)
    made.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(made.train()(x), plain.train()(x))


def test_statistics_get_the_gradient_of_their_own_loss_and_the_rest_none_of_it() -> None:
    value, seen = torch.randn(4, requires_grad=True), torch.randn(4)
    x = X.clone().requires_grad_()
    (Follow.apply(x, value, seen) * 5).sum().backward()
    expected = value.detach().clone().requires_grad_()
    (0.5 * (expected - seen).square().sum()).backward()
    torch.testing.assert_close(value.grad, expected.grad)
    assert x.grad is not None and (x.grad == 5).all()


def test_trained_statistics_become_those_of_the_data() -> None:
    layer = GeneratedStatistics(4)
    optimizer = torch.optim.SGD([layer.mean, layer.log_var], lr=0.3)
    for _ in range(60):
        optimizer.zero_grad()
        layer(X).sum().backward()
        optimizer.step()
    var, mean = torch.var_mean(X, dim=(0, 2, 3))  # the unbiased variance, as in an ordinary layer's statistics
    torch.testing.assert_close(layer.eval()(X), F.batch_norm(X, mean, var), atol=1e-4, rtol=1e-4)


def test_statistics_of_quiet_channels_are_exact_too() -> None:
    """Where the variance is as small as ε, which counts once."""
    layer, quiet = GeneratedStatistics(4), 3e-3 * X
    var, mean = torch.var_mean(quiet, dim=(0, 2, 3), correction=0)
    with torch.no_grad():
        layer.mean.copy_(mean / (var + layer.eps).sqrt())
        layer.log_var.copy_((var + layer.eps).log() / layer.UNIT)
    torch.testing.assert_close(layer.eval()(quiet), layer.train()(quiet), atol=1e-4, rtol=1e-4)
