"""A module as a function of one flat vector."""

import pytest
import torch
from torch import nn
from torch.func import vmap

from hnetlib.errors import SizeError
from hnetlib.networks import MLP
from hnetlib.target import TargetNetwork


class Odd(nn.Module):
    """A scalar parameter, a frozen one, a buffer, a convolution, batch norm, and a layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.frozen = nn.Parameter(torch.ones(3), requires_grad=False)
        self.register_buffer("shift", torch.tensor([0.5]))
        self.conv = nn.Conv2d(1, 3, 3)
        self.norm = nn.BatchNorm2d(3)
        self.out = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x)).mean((2, 3)) * self.scale * self.frozen + self.shift
        return self.out(torch.tanh(self.out(x)))


def own_weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters() if p.requires_grad])


def test_names_shapes_and_order_are_the_modules() -> None:
    module = MLP([4, 5, 2])
    target = TargetNetwork(module)
    named = dict(module.named_parameters())
    pieces = target.unflatten(own_weights(module))
    assert list(pieces) == list(named)
    for name, piece in pieces.items():
        assert torch.equal(piece, named[name])
    assert target.num_weights == 4 * 5 + 5 + 5 * 2 + 2


def test_pieces_are_views_of_the_vector() -> None:
    target = TargetNetwork(MLP([4, 5, 2]))
    weights = torch.zeros(target.num_weights)
    target.unflatten(weights)["1.weight"][0, 0] = 7
    assert weights[0] == 7


@pytest.mark.parametrize("module, x", [(MLP([4, 5, 2]), torch.randn(6, 4)), (Odd(), torch.randn(6, 1, 5, 5))])
def test_with_its_own_weights_it_is_the_module(module: nn.Module, x: torch.Tensor) -> None:
    module.eval()
    assert torch.equal(TargetNetwork(module)(own_weights(module), x), module(x))


def test_the_modules_own_weights_are_not_read_and_not_changed() -> None:
    module = MLP([4, 5, 2])
    before, x = own_weights(module), torch.randn(6, 4)
    out = TargetNetwork(module)(torch.zeros_like(before), x)
    assert torch.equal(out, torch.zeros(6, 2))
    assert torch.equal(own_weights(module), before)


def test_gradients_reach_the_vector_like_the_modules_own() -> None:
    module = MLP([4, 5, 2])
    weights, x = own_weights(module).requires_grad_(), torch.randn(6, 4)
    TargetNetwork(module)(weights, x).square().sum().backward()
    module(x).square().sum().backward()
    expected = torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])
    assert weights.grad is not None
    torch.testing.assert_close(weights.grad, expected)


def test_frozen_parameters_are_kept_and_not_generated() -> None:
    target = TargetNetwork(Odd())
    assert "frozen" not in target.shapes
    assert target.num_weights == 1 + (27 + 3) + 6 + 12


def test_given_buffers_are_used_and_updated_in_place_and_the_modules_are_left_alone() -> None:
    module = Odd()
    target, x = TargetNetwork(module), torch.randn(6, 1, 5, 5) + 3
    buffers = target.copy_buffers()
    assert set(buffers) == {"shift", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked"}
    module.train()
    target(own_weights(module), x, buffers=buffers)
    assert buffers["norm.num_batches_tracked"] == 1
    assert not torch.equal(buffers["norm.running_mean"], torch.zeros(3))
    assert module.norm.num_batches_tracked == 0
    assert module.norm.running_mean is not None and not module.norm.running_mean.any()
    module.eval()
    other = target(own_weights(module), x, buffers=buffers)
    assert not torch.allclose(other, module(x))


def test_a_head_cuts_the_outputs() -> None:
    target, x = TargetNetwork(MLP([4, 5, 6])), torch.randn(3, 4)
    weights = torch.randn(target.num_weights)
    assert torch.equal(target(weights, x, head=slice(2, 4)), target(weights, x)[:, 2:4])


def test_many_networks_at_once_with_vmap() -> None:
    target, x = TargetNetwork(MLP([4, 5, 2])), torch.randn(3, 4)
    weights = torch.randn(7, target.num_weights)
    together = vmap(target, in_dims=(0, None))(weights, x)
    torch.testing.assert_close(together, torch.stack([target(w, x) for w in weights]))


def test_a_vector_of_the_wrong_length_is_refused_with_both_numbers() -> None:
    target = TargetNetwork(MLP([4, 5, 2]))
    with pytest.raises(SizeError, match="needs 37 weights, but 36 were given"):
        target(torch.zeros(36), torch.randn(3, 4))
