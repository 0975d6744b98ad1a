"""Milliseconds to ask the networks of ten tasks about a batch of inputs."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.steps import CLASSES, SIZES, Sizes, head, our_networks
from hnetlib.inference import AllNetworks, one_by_one
from hnetlib.learner import HyperNetLearner, products

TASKS = 10
NETWORKS = {
    "P10": SIZES["P10"],
    "digits": Sizes((64, 100, 100, CLASSES * TASKS), 16, 8, (16, 16), 1500, nn.ELU),  # those of the chapters
}
BATCHES = 1, 10, 100, 2000
WHO = "loop", "loop, weights kept", "batched", "generate"
CASES = [
    (sizes, batch, who) for sizes in NETWORKS for batch in BATCHES for who in WHO if batch == 1 or who != "generate"
]


def ten_tasks(sizes: Sizes) -> HyperNetLearner:
    """A learner of ten tasks. Nothing is trained: it costs the same."""
    torch.manual_seed(0)
    target, hnet = our_networks(sizes, TASKS + 1)
    learner = HyperNetLearner(target, hnet)
    learner.heads = [head(task) for task in range(1, TASKS + 1)]
    learner.buffers = [target.copy_buffers() for _ in range(TASKS)]
    return learner


@torch.no_grad()
def contestant(who: str, learner: HyperNetLearner, x: Tensor) -> Callable[[], object]:
    """What is timed. `generate` makes the weights of all tasks, which `batched` has beforehand."""
    if who == "loop":
        return lambda: one_by_one(learner, TASKS, x)
    if who == "generate":
        return lambda: AllNetworks(learner, TASKS)
    if who == "batched":
        networks = AllNetworks(learner, TASKS)
        return lambda: networks(x)
    weights = learner.hnet(torch.stack(list(learner.hnet.task_embeddings)))
    return lambda: torch.stack([learner.target(w, x, h) for w, h in zip(weights, learner.heads, strict=True)])


@pytest.mark.parametrize(("sizes", "batch", "who"), CASES)
def test_inference(benchmark: Any, cases: list[dict[str, Any]], quick: bool, sizes: str, batch: int, who: str) -> None:
    learner = ten_tasks(NETWORKS[sizes])
    ask = contestant(who, learner, torch.rand(batch, NETWORKS[sizes].target[0]))
    with torch.no_grad(), products("float32"):
        ask()
        start = time.perf_counter()
        ask()
        number = 1 if quick else 25 if time.perf_counter() - start < 0.2 else 3
        benchmark.pedantic(ask, rounds=number)
    stats = benchmark.stats.stats
    times = {"median_ms": round(1000 * stats.median, 4), "min_ms": round(1000 * stats.min, 4)}
    cases.append({"sizes": sizes, "batch": batch, "contestant": who, **times, "rounds": number})


@pytest.mark.parametrize("sizes", NETWORKS)
def test_single_images_are_answered_three_times_as_fast(cases: list[dict[str, Any]], sizes: str) -> None:
    least = {c["contestant"]: c["min_ms"] for c in cases if (c["sizes"], c["batch"]) == (sizes, 1)}
    if "batched" not in least:
        pytest.skip("not measured in this run")
    assert 3 * least["batched"] < least["loop"]
