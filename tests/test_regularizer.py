"""Eq. 2 in every variant against brute force, and the lookahead against Adam itself."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn, optim

from hnetlib import regularizer
from hnetlib.errors import SizeError
from hnetlib.hypernet import HyperNetwork
from hnetlib.regularizer import (
    FactoredRegularizer,
    Lookahead,
    OutputRegularizer,
    RowSampledRegularizer,
    SampledFactoredRegularizer,
    SampledRegularizer,
    exact_regularizer,
    sampled_regularizer,
)

# num_weights, chunk_size, hidden sizes, earlier tasks
SIZES = st.tuples(st.integers(1, 40), st.integers(1, 45), st.lists(st.integers(1, 6), max_size=2), st.integers(1, 4))
Make = Callable[[HyperNetwork, float], OutputRegularizer]
EXACT: dict[str, Make] = {
    "direct": OutputRegularizer,
    "factored": FactoredRegularizer,
    "sampled, all tasks": partial(SampledRegularizer, num_samples=99),
    "sampled and factored, all tasks": partial(SampledFactoredRegularizer, num_samples=99),
    "sampled, all rows": partial(RowSampledRegularizer, num_rows=9999),
}


def moved(sizes: tuple[int, int, list[int], int], make: Make) -> tuple[HyperNetwork, OutputRegularizer, HyperNetwork]:
    """A hypernetwork that has moved away from its snapshot, its regularizer, and the hypernetwork as it was."""
    num_weights, chunk_size, hidden, tasks = sizes
    hnet = HyperNetwork(num_weights, 3, hidden, chunk_size, chunk_dim=2, activation=nn.Tanh).double()
    old = HyperNetwork(num_weights, 3, hidden, chunk_size, chunk_dim=2, activation=nn.Tanh).double()
    for _ in range(tasks):
        hnet.add_task(), old.add_task()
    old.load_state_dict(hnet.state_dict())
    regularizer = make(hnet, 0.3)
    with torch.no_grad():
        for p in hnet.parameters():
            p.add_(0.1 * torch.randn_like(p))
    hnet.add_task()  # the task being learned: no business of the penalty
    return hnet, regularizer, old


def brute_force(hnet: HyperNetwork, old: HyperNetwork, delta: list[torch.Tensor]) -> torch.Tensor:
    """Eq. 2's second term, a weight and a task at a time, with Θ_h + ΔΘ_h written into the hypernetwork."""
    with torch.no_grad():
        for p, d in zip(hnet.theta().values(), delta, strict=True):
            p.add_(d)
    total = sum((old(old.embedding(t)) - hnet(hnet.embedding(t))).pow(2).sum() for t in range(old.num_tasks))
    return 0.3 * torch.as_tensor(total) / old.num_tasks


def gradients(hnet: HyperNetwork) -> list[torch.Tensor]:
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in hnet.parameters()]


@pytest.mark.parametrize("lookahead", [False, True])
@pytest.mark.parametrize("name", EXACT)
@given(sizes=SIZES)
@settings(max_examples=25, deadline=None)
def test_value_and_gradient_agree_with_brute_force(
    name: str, lookahead: bool, sizes: tuple[int, int, list[int], int]
) -> None:
    """Gradients of all parameters: Θ_h, and the earlier embeddings, which may move (Appendix C)."""
    hnet, regularizer, old = moved(sizes, EXACT[name])
    delta = [0.05 * torch.randn_like(p) if lookahead else torch.zeros_like(p) for p in hnet.theta().values()]
    ahead = {name: p + d for (name, p), d in zip(hnet.theta().items(), delta, strict=True)}
    penalty = regularizer(ahead if lookahead else None)
    penalty.backward()
    ours = gradients(hnet)
    hnet.zero_grad()
    expected = brute_force(hnet, old, delta)
    expected.backward()
    torch.testing.assert_close(penalty, expected, rtol=1e-10, atol=1e-14)
    for gradient, wanted in zip(ours, gradients(hnet), strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", EXACT)
def test_nothing_is_paid_where_nothing_moved(name: str) -> None:
    hnet = HyperNetwork(30, 3, (5,), 7, 2)
    hnet.add_task(), hnet.add_task()
    # A sample has its tasks in another order than the stored features, and rows may be rounded by their place.
    rounding = 1e-12 if name == "sampled and factored, all tasks" else 0
    assert EXACT[name](hnet, 0.5)().item() == pytest.approx(0, abs=rounding)


@pytest.mark.parametrize("name", EXACT)
def test_float32_is_accurate_to_1e_5(name: str) -> None:
    torch.manual_seed(0)
    hnet, regularizer, old = moved((5000, 701, [20], 3), EXACT[name])
    wanted = brute_force(hnet, old, [torch.zeros_like(p) for p in hnet.theta().values()])
    wanted.backward()
    expected = gradients(hnet)
    single = HyperNetwork(5000, 3, [20], 701, 2, nn.Tanh)
    for _ in range(3):
        single.add_task()
    single.load_state_dict(old.state_dict())
    regularizer = EXACT[name](single, 0.3)
    single.add_task()
    single.load_state_dict(hnet.state_dict())
    penalty = regularizer()
    penalty.backward()
    assert penalty.item() == pytest.approx(wanted.item(), rel=1e-5)
    for gradient, exact in zip(gradients(single), expected, strict=True):
        scale = exact.abs().max().item()
        torch.testing.assert_close(gradient.double(), exact, rtol=0, atol=1e-5 * scale + 1e-12)


@pytest.mark.parametrize(
    "make",
    [
        partial(SampledRegularizer, num_samples=2),
        partial(SampledFactoredRegularizer, num_samples=2),
        partial(RowSampledRegularizer, num_rows=5),
    ],
)
def test_a_random_sample_is_unbiased_and_really_a_sample(make: Make) -> None:
    """Four tasks, four chunks each; of the last chunk, seven weights of eleven count."""
    torch.manual_seed(0)
    hnet, regularizer, old = moved((40, 11, [5], 4), make)
    draws = torch.stack([regularizer() for _ in range(4000)]).detach()
    exact = brute_force(hnet, old, [torch.zeros_like(p) for p in hnet.theta().values()]).item()
    assert len(draws.unique()) > 5
    assert draws.mean().item() == pytest.approx(exact, abs=4 * draws.std().item() / 4000**0.5)


@pytest.mark.parametrize("rows", [0, 2, 3, 6, 11])
def test_a_product_in_pieces_is_the_product(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regularizer, "PIECE", 3)
    left, right = torch.rand(2, rows, 4, dtype=torch.float64)
    torch.testing.assert_close(regularizer.in_pieces(left, right), left.T @ right)


def test_both_forms_make_the_same_guess_from_the_same_tasks() -> None:
    torch.manual_seed(0)
    hnet, _, _ = moved((40, 11, [5], 6), OutputRegularizer)
    guesses = []
    for form in (SampledRegularizer, SampledFactoredRegularizer):
        protect = form(hnet, 0.3, num_samples=2)
        torch.manual_seed(1)
        hnet.zero_grad()
        with torch.no_grad():
            theta = {name: p + 0.1 * torch.randn_like(p) for name, p in hnet.theta().items()}
        (value := protect({name: p.requires_grad_() for name, p in theta.items()})).backward()
        guesses.append([value.detach(), *(p.grad for p in theta.values()), *(e.grad for e in hnet.task_embeddings)])
    for direct, factored in zip(*guesses, strict=True):
        torch.testing.assert_close(factored, direct)


def test_what_cannot_be_protected_or_drawn_is_refused() -> None:
    hnet = HyperNetwork(30, 3, (5,), 7, 2)
    with pytest.raises(SizeError, match="no task to protect"):
        OutputRegularizer(hnet, 0.5)
    hnet.add_task()
    with pytest.raises(SizeError, match="num_samples must be at least 1, but got 0"):
        SampledRegularizer(hnet, 0.5, 0)
    with pytest.raises(SizeError, match="num_rows must be at least 1, but got -1"):
        RowSampledRegularizer(hnet, 0.5, -1)


def test_the_choice_of_form_follows_the_sizes() -> None:
    """The toy network of Fig. 2 is too small for Gram matrices to pay; that of PermutedMNIST-10 is not."""
    toy, p10 = HyperNetwork(141, 2, (10, 10)), HyperNetwork(2_126_100, 24, (25, 25), 78_000, 8)
    toy.add_task(), p10.add_task()
    assert type(exact_regularizer(toy, 0.01)) is OutputRegularizer
    assert type(exact_regularizer(p10, 0.01)) is FactoredRegularizer
    assert type(sampled_regularizer(toy, 0.01)) is SampledRegularizer
    assert type(sampled_regularizer(p10, 0.01)) is SampledFactoredRegularizer


def test_two_looks_ahead_before_the_first_step_are_the_same() -> None:
    theta = {"a": nn.Parameter(torch.ones(3))}
    theta["a"].grad = torch.ones(3)
    lookahead = Lookahead(theta, optim.Adam(theta.values(), lr=0.1))
    first = lookahead()["a"].clone()
    assert torch.equal(lookahead()["a"], first)


def test_the_snapshot_does_not_follow_the_hypernetwork() -> None:
    hnet, regularizer, old = moved((20, 6, [4], 2), OutputRegularizer)
    for name, p in old.theta().items():
        assert torch.equal(regularizer.snapshot[name], p)
        assert not torch.equal(regularizer.snapshot[name], hnet.theta()[name])


@pytest.mark.parametrize("make", [partial(optim.Adam, fused=True), optim.Adam, partial(optim.SGD, momentum=0.9)])
def test_the_lookahead_is_where_the_optimizer_then_goes(make: Callable[..., optim.Optimizer]) -> None:
    torch.manual_seed(0)
    theta = {"a": nn.Parameter(torch.randn(5, 3)), "b": nn.Parameter(torch.randn(4))}
    optimizer = make(list(theta.values()), lr=0.03)
    lookahead = Lookahead(theta, optimizer)
    for i in range(4):
        optimizer.param_groups[0]["lr"] = 0.03 / (i + 1)
        for p in theta.values():
            p.grad = torch.randn_like(p)
        before = {name: p.detach().clone() for name, p in theta.items()}
        ahead = lookahead()
        for name, p in theta.items():
            assert torch.equal(p, before[name]), "a candidate step must not be taken"
        (gradient,) = torch.autograd.grad(ahead["a"].square().sum(), theta["a"])
        torch.testing.assert_close(gradient, 2 * ahead["a"].detach())
        optimizer.step()
        for name, p in theta.items():
            assert torch.equal(p, ahead[name])
