"""The contestants: each gets networks ready for task t and gives back one whole training step, without arguments.

All have the same sizes, batch, fused Adam at 1e-4 and β = 0.01, and t - 1 earlier tasks to protect. Nothing is trained
on the way: embeddings are added, the regularizer takes its targets or its snapshot, and then the weights move a little,
so that the penalty is not zero.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import torch
from hypnettorch.hnets.chunked_mlp_hnet import ChunkedHMLP
from hypnettorch.mnets.mlp import MLP as PeerMLP
from hypnettorch.utils.hnet_regularizer import calc_fix_target_reg, get_current_targets
from hypnettorch.utils.optim_step import calc_delta_theta
from torch import Tensor, nn, optim
from torch.nn import functional as F

from hnetlib.experiments.build import ACTIVATIONS
from hnetlib.experiments.config import HNET
from hnetlib.experiments.registry import EXPERIMENTS
from hnetlib.hypernet import HyperNetwork
from hnetlib.learner import HyperNetLearner, Training
from hnetlib.networks import MLP
from hnetlib.regularizer import FactoredRegularizer, OutputRegularizer, RowSampledRegularizer
from hnetlib.target import TargetNetwork
from hnetlib.tasks import Split, Task

BETA, RATE = 0.01, 1e-4
BATCH, CLASSES = 128, 10
MOVED = 1e-3  # standard deviation of the move of each weight since the snapshot
Step = Callable[[], None]


@dataclass(frozen=True)
class Sizes:
    """The networks of one experiment of the paper."""

    target: tuple[int, ...]  # inputs, units of each hidden layer, outputs
    task_dim: int
    chunk_dim: int
    hidden: tuple[int, ...]  # of the hypernetwork
    chunk_size: int
    activation: type[nn.Module]  # of the hypernetwork
    tasks: tuple[int, ...] = (1, 3)  # where a step is measured, counted from 1


def of(experiment: str, tasks: tuple[int, ...]) -> Sizes:
    """The sizes of a registered experiment on permuted MNIST, padded to 32 x 32."""
    config = EXPERIMENTS[experiment].config
    assert isinstance(config.method, HNET)
    made, target = config.method.hypernet, (32 * 32, *config.target.hidden, CLASSES * config.tasks.num_tasks)
    assert made.chunk_size
    activation = ACTIVATIONS[made.activation]
    return Sizes(target, made.task_dim, made.chunk_dim, made.hidden, made.chunk_size, activation, tasks)


SIZES = {"P10": of("p10-cl1-hnet", (1, 2, 3, 10)), "P100": of("p100-cl1-hnet", (1, 2, 10, 100))}


def head(task: int) -> slice:
    """The outputs of a task, counted from 1."""
    return slice((task - 1) * CLASSES, task * CLASSES)


def batch(sizes: Sizes) -> tuple[Tensor, Tensor]:
    """Random inputs and labels, always the same ones."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(BATCH, sizes.target[0], generator=generator)
    return x, torch.randint(CLASSES, (BATCH,), generator=generator)


@torch.no_grad()
def move(weights: Iterable[Tensor]) -> None:
    """Leave the snapshot behind, as training would."""
    for p in weights:
        p.add_(torch.randn_like(p), alpha=MOVED)


def bare(sizes: Sizes, task: int) -> Step:
    """The target network alone: no hypernetwork, and nothing to remember."""
    module, (x, y) = MLP(sizes.target), batch(sizes)
    optimizer = optim.Adam(module.parameters(), RATE, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(module(x)[:, head(task)], y).backward()
        optimizer.step()

    return step


# -- ours ---------------------------------------------------------------------------------------------------------


def our_networks(sizes: Sizes, task: int) -> tuple[TargetNetwork, HyperNetwork]:
    """Target network and hypernetwork, with the embeddings of the earlier tasks."""
    s, target = sizes, TargetNetwork(MLP(sizes.target))
    hnet = HyperNetwork(target.num_weights, s.task_dim, s.hidden, s.chunk_size, s.chunk_dim, s.activation)
    for _ in range(task - 1):
        hnet.add_task()
    return target, hnet


def our_step(regularizer: type[OutputRegularizer], sizes: Sizes, task: int) -> Step:
    """The step of `HyperNetLearner`, with lookahead."""
    target, hnet = our_networks(sizes, task)
    learner = HyperNetLearner(target, hnet, Training(learning_rate=RATE), BETA, regularizer=regularizer)
    x, y = batch(sizes)
    step, _ = learner.begin(Task("random", Split(x, y), Split(x, y), head(task)))
    move(hnet.theta().values())

    def call() -> None:
        step(x, y)

    return call


# -- the authors' package -----------------------------------------------------------------------------------------


def peer_networks(sizes: Sizes, task: int) -> tuple[PeerMLP, ChunkedHMLP]:
    """Target network and hypernetwork, with the embeddings of all tasks up to this one."""
    inputs, *hidden, outputs = sizes.target
    mnet = PeerMLP(n_in=inputs, n_out=outputs, hidden_layers=hidden, no_weights=True, verbose=False)
    hnet = ChunkedHMLP(
        mnet.param_shapes,
        sizes.chunk_size,
        chunk_emb_size=sizes.chunk_dim,
        cond_in_size=sizes.task_dim,
        layers=sizes.hidden,
        activation_fn=sizes.activation(),
        num_cond_embs=task,
        verbose=False,
    )
    return mnet, hnet


def peer_loss(mnet: PeerMLP, hnet: ChunkedHMLP, sizes: Sizes, task: int) -> Tensor:
    """The task's own loss."""
    x, y = batch(sizes)
    return F.cross_entropy(mnet.forward(x, weights=hnet.forward(cond_id=task - 1))[:, head(task)], y)


def peer(sizes: Sizes, task: int, lookahead: bool = False) -> Step:
    """Stored targets. Without lookahead there is one backward pass; with it two, the penalty's at Θ_h + ΔΘ_h."""
    (mnet, hnet), current = peer_networks(sizes, task), task - 1
    targets = get_current_targets(current, hnet) if current else None
    theta = optim.Adam(hnet.unconditional_params, RATE, fused=True)
    embedding = optim.Adam([hnet.conditional_params[current]], RATE, fused=True)
    move(hnet.unconditional_params)

    def step() -> None:
        theta.zero_grad()
        embedding.zero_grad()
        loss = peer_loss(mnet, hnet, sizes, task)
        if lookahead:
            loss.backward()
        if targets:
            delta = calc_delta_theta(theta, use_sgd_change=False) if lookahead else None
            penalty = BETA * calc_fix_target_reg(hnet, current, targets=targets, dTheta=delta)
            loss = penalty if lookahead else loss + penalty
        if targets or not lookahead:
            loss.backward()
        theta.step()
        embedding.step()

    return step


contestants: dict[str, Callable[[Sizes, int], Step]] = {
    "bare": bare,
    "ours": partial(our_step, FactoredRegularizer),
    "row-sampled": partial(our_step, RowSampledRegularizer),
    "direct": partial(our_step, OutputRegularizer),
    "peer": peer,
    "peer-lookahead": partial(peer, lookahead=True),
}


def set_up(sizes: str, task: int, contestant: str) -> Step:
    """One contestant at a task, counted from 1."""
    torch.manual_seed(0)
    return contestants[contestant](SIZES[sizes], task)


# -- is it the same work? -----------------------------------------------------------------------------------------


@torch.no_grad()
def copy_weights(ours: HyperNetwork, theirs: ChunkedHMLP) -> None:
    """Give the package's hypernetwork the weights of ours. Its first layer takes the chunk embedding first."""
    layers = [layer for layer in (*ours.body.layers, ours.last) if isinstance(layer, nn.Linear)]
    weights = [layers[0].weight.roll(-ours.task_dim, dims=1), *(layer.weight for layer in layers[1:])]
    mine = [*weights, *(layer.bias for layer in layers), ours.body.chunk_embeddings, *ours.task_embeddings]
    chunk_embeddings, embeddings = theirs.unconditional_params[-1], theirs.conditional_params
    others = [*theirs.layer_weight_tensors, *theirs.layer_bias_vectors, chunk_embeddings, *embeddings]
    for new, p in zip(mine, others, strict=True):
        p.copy_(new)


def agree(task: int = 4) -> None:
    """Compare task loss and penalty with the package's, on the same weights of small networks.

    Raises:
        AssertionError: they differ by more than 1e-4, relatively.
    """
    torch.manual_seed(0)
    sizes = Sizes((30, 20, 10 * task), 6, 5, (7, 9), 100, nn.ELU)
    (target, hnet), (mnet, theirs), (x, y) = our_networks(sizes, task), peer_networks(sizes, task), batch(sizes)
    forms = [form(hnet, BETA) for form in (OutputRegularizer, FactoredRegularizer)]
    hnet.add_task()
    copy_weights(hnet, theirs)
    targets = get_current_targets(task - 1, theirs)
    move(hnet.theta().values())
    copy_weights(hnet, theirs)
    penalty = BETA * calc_fix_target_reg(theirs, task - 1, targets=targets)
    loss = F.cross_entropy(target(hnet(hnet.embedding(task - 1)), x, head(task)), y)
    torch.testing.assert_close(loss, peer_loss(mnet, theirs, sizes, task), rtol=1e-4, atol=0)
    for form in forms:
        torch.testing.assert_close(form(), penalty, rtol=1e-4, atol=0)
