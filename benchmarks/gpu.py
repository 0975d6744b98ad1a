"""Milliseconds a training step on a GPU, recorded and as it is written: `python -m benchmarks.gpu p10-cl1-hnet 9`.

The experiment at the paper tier, after so many tasks; these are learned with a few steps each. CIFAR is not needed: its
place is taken by painted shapes, pictures of the same size.
"""

import sys
import time
from dataclasses import replace

import torch

from hnetlib.experiments.build import build, make_tasks
from hnetlib.experiments.run import Job
from hnetlib.learner import products


def milliseconds(experiment: str, before: int, recorded: bool, steps: int = 500) -> float:
    """A step of the task after so many others, evaluation left out, the recording itself included."""
    config = Job(experiment).config
    if config.tasks.images == "cifar":
        config = replace(config, tasks=replace(config.tasks, images="shapes", num_tasks=2))
    few = replace(config.optimization, iterations=5, epochs=None)
    torch.manual_seed(0)
    tasks, _ = make_tasks(config, 0, "cuda")
    one = build(replace(config, optimization=few), 0, tasks, "cuda")
    with products(config.products):
        for task in tasks[:before]:
            one.learn(task)
        one.training = replace(one.training, iterations=steps, recorded=recorded)  # type: ignore[union-attr]
        torch.cuda.synchronize()
        start = time.perf_counter()
        one.learn(tasks[before])
        torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - start) / steps


if __name__ == "__main__":
    for recorded in (True, False):
        taken = milliseconds(sys.argv[1], int(sys.argv[2]), recorded)
        print(f"{'recorded' if recorded else 'as written'}: {taken:.3f} ms a step, {torch.cuda.get_device_name()}")
