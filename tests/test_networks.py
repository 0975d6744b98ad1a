"""Target networks: their sizes, their shapes, and what is special about each."""

import pytest
import torch
from torch import nn

from hnetlib.hypernet import HyperNetwork
from hnetlib.networks import Block, Mixed, ResNet, ZenkeNet
from hnetlib.target import TargetNetwork
from hnetlib.tasks import channels_first

PICTURES = torch.randint(256, (4, 32, 32, 3), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("module", "target", "hypernetwork"),
    [
        (ResNet(60), 468_540, 457_144 + 6 * 32),
        (ZenkeNet(60), 1_276_508, 1_182_390 + 6 * 48),
    ],
    ids=["ResNet-32", "ZenkeNet"],
)
def test_the_networks_have_the_papers_sizes(module: nn.Module, target: int, hypernetwork: int) -> None:
    assert TargetNetwork(module).num_weights == target
    sizes = {468_540: (32, (), 7000, 32), 1_276_508: (48, (100, 150, 200), 5500, 80)}[target]
    assert HyperNetwork(target, *sizes).num_parameters(6) == hypernetwork


def test_a_resnet_32_has_31_convolutions_and_one_linear_layer() -> None:
    layers = list(ResNet(10).modules())
    assert sum(isinstance(layer, nn.Conv2d) for layer in layers) == 31
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in layers) == 31
    assert sum(isinstance(layer, nn.Linear) for layer in layers) == 1


@pytest.mark.parametrize("module", [ResNet(6, blocks=1, width=4), ZenkeNet(6, width=4)], ids=["ResNet", "ZenkeNet"])
def test_outputs_come_from_generated_weights_alone(module: nn.Module) -> None:
    target = TargetNetwork(module.eval())
    own = torch.cat([p.flatten() for p in module.parameters()]).detach()
    x = channels_first(PICTURES)
    expected = module(x)
    nn.init.constant_(next(module.parameters()), 7.0)
    torch.testing.assert_close(target(own, x), expected)
    assert expected.shape == (4, 6)


@pytest.mark.parametrize("whole", [True, False])
def test_dropout_takes_whole_channels_or_single_units(whole: bool) -> None:
    """A channel of ones behind the first stage's dropout is all there or all gone, or it has holes."""
    torch.manual_seed(0)
    dropout = ZenkeNet(6, width=4, whole=whole)[5]
    shares = (dropout(torch.ones(50, 4, 15, 15)) == 0).float().mean(dim=(2, 3))
    assert abs(shares.mean() - 0.25) < 0.1
    assert ((shares == 0) | (shares == 1)).all() == whole


def test_a_block_of_zeros_is_its_shortcut() -> None:
    block = Block(2, 4, stride=2).eval()
    for p in (*block.conv2.parameters(), block.norm2.bias):
        nn.init.zeros_(p)
    x = torch.rand(3, 2, 8, 8)
    expected = torch.cat([x[:, :, ::2, ::2], torch.zeros(3, 2, 4, 4)], dim=1)
    torch.testing.assert_close(block(x), expected)


def test_channels_stay_together_in_memory() -> None:
    seen = []
    net = ResNet(4, blocks=1, width=4)
    net[5].register_forward_hook(lambda module, arguments, output: seen.append(output))
    net(channels_first(PICTURES))
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_mixed_precision_answers_in_float32_nearly_the_same() -> None:
    net = ResNet(6, blocks=1, width=4)
    x = channels_first(PICTURES)
    outputs, expected = Mixed(net)(x), net(x)
    assert outputs.dtype == torch.float32 and not torch.equal(outputs, expected)
    torch.testing.assert_close(outputs, expected, atol=0.1, rtol=0.1)
    outputs.sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in net.parameters())
