"""The hypernetwork: sizes, chunks, embeddings, counts, initializations."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hnetlib.errors import SizeError, UnknownTaskError
from hnetlib.hypernet import HyperNetwork
from hnetlib.initialization import hyperfan_, pytorch_
from hnetlib.networks import MLP
from hnetlib.target import TargetNetwork
from hnetlib.tasks import Scenario


@given(
    num_weights=st.integers(1, 60),
    chunk_size=st.one_of(st.none(), st.integers(1, 70)),
    hidden=st.lists(st.integers(1, 5), max_size=2),
    tasks=st.integers(1, 3),
)
@settings(max_examples=40, deadline=None)
def test_any_sizes_generate_exactly_the_weights(
    num_weights: int, chunk_size: int | None, hidden: list[int], tasks: int
) -> None:
    hnet = HyperNetwork(num_weights, 3, hidden, chunk_size, chunk_dim=2)
    for _ in range(tasks):
        hnet.add_task()
    together = hnet(torch.stack(list(hnet.task_embeddings)))
    assert together.shape == (tasks, num_weights)
    for t in range(tasks):
        torch.testing.assert_close(hnet(hnet.embedding(t)), together[t])


def test_chunks_stand_one_after_another_and_the_last_is_cut() -> None:
    hnet = HyperNetwork(10, 3, (5,), chunk_size=4, chunk_dim=2)
    hnet.add_task()
    e = hnet.embedding(0)
    by_hand = torch.cat([hnet.last(hnet.body.layers(torch.cat([e, c]))) for c in hnet.body.chunk_embeddings])
    assert hnet.num_chunks == 3
    torch.testing.assert_close(hnet(e), by_hand[:10])


def test_a_full_hypernetwork_is_a_plain_network_of_the_embedding() -> None:
    hnet = HyperNetwork(10, 3, (5, 4), activation=nn.Sigmoid)
    hnet.add_task()
    plain = nn.Sequential(*hnet.body.layers, hnet.last)
    assert hnet.num_chunks == 1
    torch.testing.assert_close(hnet(hnet.embedding(0)), plain(hnet.embedding(0)))


def test_one_chunk_equals_the_full_hypernetwork() -> None:
    full, chunked = HyperNetwork(10, 3, (5,)), HyperNetwork(10, 3, (5,), chunk_size=10, chunk_dim=0)
    chunked.load_state_dict(full.state_dict())
    e = torch.randn(3)
    assert torch.equal(full(e), chunked(e))


def test_task_embeddings_are_appended_and_the_old_ones_stay() -> None:
    hnet = HyperNetwork(10, 3)
    assert [hnet.add_task(), hnet.add_task()] == [0, 1]
    first = hnet.embedding(0).clone()
    hnet.add_task()
    assert torch.equal(hnet.embedding(0), first)
    assert not any(name.startswith("task_embeddings") for name in hnet.theta())
    assert "body.chunk_embeddings" in hnet.theta()


@pytest.mark.parametrize("task", [-1, 2, 99])
def test_an_unknown_task_is_named(task: int) -> None:
    hnet = HyperNetwork(10, 3)
    hnet.add_task(), hnet.add_task()
    with pytest.raises(UnknownTaskError, match=f"Task {task} was never learned.*tasks 0 to 1"):
        hnet.embedding(task)


def test_an_embedding_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(SizeError, match="length 3, but one of length 4"):
        HyperNetwork(10, 3)(torch.zeros(4))


@pytest.mark.parametrize("sizes", [{"num_weights": 0}, {"task_dim": 0}, {"chunk_size": 0}, {"hidden": (5, 0)}])
def test_sizes_that_make_no_sense_are_refused(sizes: dict) -> None:
    with pytest.raises(SizeError, match="at least 1"):
        HyperNetwork(**{"num_weights": 10, "task_dim": 3, **sizes})


def test_chunks_that_could_not_differ_are_refused() -> None:
    with pytest.raises(SizeError, match="5 chunks without chunk embeddings"):
        HyperNetwork(10, 3, chunk_size=2)


def mlp_weights(*sizes: int) -> int:
    return TargetNetwork(MLP(sizes)).num_weights


def p10_outputs(scenario: Scenario) -> int:
    return scenario.num_outputs(10, 10)


# name: target's weights, (task_dim, hidden, chunk_size, chunk_dim), tasks, the paper's two counts (Appendix C, D)
PAPER: dict[str, tuple[int, tuple[Any, ...], int, int, int | None]] = {
    "Fig. 2, 1-10-10-1": (mlp_weights(1, 10, 10, 1), (2, (10, 10)), 3, 141, None),
    "P10 classifier, CL1 (28 chunks: 8 more than the paper counts)": (
        mlp_weights(1024, 1000, 1000, p10_outputs(Scenario.CL1)),
        (24, (25, 25), 78_000, 8),
        10,
        2_126_100,
        2_029_691 + 8 + 10 * 24,
    ),
    "P10 classifier, CL2": (
        mlp_weights(1024, 1000, 1000, p10_outputs(Scenario.CL2)),
        (24, (25, 25), 78_000, 8),
        10,
        2_036_010,
        2_029_691 + 10 * 24,
    ),
    "P10 VAE decoder": (
        mlp_weights(200, 1000, 1000, 1024),
        (24, (25, 25), 85_000, 8),
        9,
        2_227_024,
        2_211_691 + 9 * 24,
    ),
    "split classifier, CL1": (
        mlp_weights(784, 400, 400, 10),
        (96, (10, 10), 42_000, 96),
        5,
        478_410,
        465_192 + 5 * 96,
    ),
    "split classifier, CL2": (
        mlp_weights(784, 400, 400, 2),
        (96, (10, 10), 42_000, 96),
        5,
        475_202,
        465_192 + 5 * 96,
    ),
    "split VAE decoder 400-400": (
        mlp_weights(200, 400, 400, 784),
        (96, (10, 10), 50_000, 96),
        4,
        555_184,
        553_192 + 4 * 96,
    ),
    "small target": (
        mlp_weights(1024, 100, 100, 100),
        (64, (100, 75, 50), 2000, 12),
        10,
        122_700,
        121_819 + 10 * 64,
    ),
    # The networks themselves come with the CIFAR chapter; their sizes are enough to count the hypernetworks.
    "ResNet-32": (468_540, (32, (), 7000, 32), 6, 468_540, 457_144 + 6 * 32),
    "ZenkeNet": (1_276_508, (48, (100, 150, 200), 5500, 80), 6, 1_276_508, 1_182_390 + 6 * 48),
}


@pytest.mark.parametrize("name", PAPER)
def test_parameter_counts_are_the_papers(name: str) -> None:
    weights, sizes, tasks, target_count, hnet_count = PAPER[name]
    assert weights == target_count
    if hnet_count is not None:
        hnet = HyperNetwork(weights, *sizes)
        assert hnet.num_parameters(tasks) == hnet_count
        assert hnet.compression_ratio(tasks) == hnet_count / weights


def test_parameters_are_counted_with_the_embeddings_there_are() -> None:
    hnet = HyperNetwork(10, 3, (5,))
    hnet.add_task()
    assert hnet.num_parameters() == sum(p.numel() for p in hnet.parameters()) == hnet.num_parameters(1)


@pytest.mark.parametrize("initialize, deviation", [("pytorch", 0.21), ("xavier", 0.015)])
def test_how_large_generated_weights_start_at_the_papers_p10_sizes(initialize: str, deviation: float) -> None:
    """Measured beforehand on the released code's choices; a directly initialized layer would have 0.03 to 0.045."""
    torch.manual_seed(0)
    hnet = HyperNetwork(2_126_100, 24, (25, 25), 78_000, 8)
    if initialize == "pytorch":
        pytorch_(hnet)
    assert hnet(torch.randn(5, 24)).std().item() == pytest.approx(deviation, rel=0.2)


def test_hyperfan_gives_generated_layers_the_variance_of_their_fan_in() -> None:
    torch.manual_seed(0)
    target = TargetNetwork(MLP([64, 100, 100, 10]))
    hnet = hyperfan_(HyperNetwork(target.num_weights, 24, (25, 25)), target)
    pieces = target.unflatten(hnet(torch.randn(200, 24)))
    for name, piece in pieces.items():
        wanted = 2 / piece.shape[2] if name.endswith("weight") else 0.0
        assert piece.square().mean().item() == pytest.approx(wanted, rel=0.3)
