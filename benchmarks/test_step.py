"""Milliseconds a training step, and peak memory."""

import gc
import time
from typing import Any

import pytest

from benchmarks.memory import measure
from benchmarks.steps import SIZES, agree, contestants, set_up

CASES = [(name, task, who) for name, sizes in SIZES.items() for task in sizes.tasks for who in contestants]
Case = dict[str, Any]


def rounds(seconds: float) -> int:
    """How often a step that takes so long is measured."""
    return 15 if seconds < 0.2 else 3 if seconds < 5 else 2


def test_the_package_does_the_same_work() -> None:
    agree()


@pytest.mark.parametrize(("sizes", "task", "contestant"), CASES)
def test_step(benchmark: Any, cases: list[Case], quick: bool, sizes: str, task: int, contestant: str) -> None:
    peak = measure(sizes, task, contestant)
    gc.collect()  # what the last contestant left
    step = set_up(sizes, task, contestant)
    step()
    start = time.perf_counter()
    step()
    number = 1 if quick else rounds(time.perf_counter() - start)
    benchmark.pedantic(step, rounds=number)
    stats = benchmark.stats.stats
    times = {"median_ms": round(1000 * stats.median, 3), "min_ms": round(1000 * stats.min, 3)}
    case = {"sizes": sizes, "contestant": contestant, "task": task}
    cases.append({**case, **times, "rounds": number, "peak_mb": round(peak, 1)})
