"""PermutedMNIST-10, CL1, at the paper's setting (Table 1): `python -m hnetlib.experiments.permuted_mnist`."""

import argparse
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from hnetlib.data import load_images
from hnetlib.experiments import record
from hnetlib.hypernet import HyperNetwork
from hnetlib.learner import HyperNetLearner, Training
from hnetlib.metrics import learn_all
from hnetlib.networks import MLP
from hnetlib.target import TargetNetwork
from hnetlib.tasks import Scenario, permuted


@dataclass(frozen=True)
class Config:
    """Where each value comes from: [p] the paper's Appendix C, [c] the released code, [o] our choice."""

    seed: int = 0  # of permutations, initial weights and minibatches
    num_tasks: int = 10  # [p]
    padding: int = 2  # [p] MNIST padded with zeros to 32 x 32
    hidden: tuple[int, ...] = (1000, 1000)  # [p] target network, ReLU
    hnet_hidden: tuple[int, ...] = (25, 25)  # [p] ELU
    chunk_size: int = 78_000  # [p]
    task_dim: int = 24  # [p]
    chunk_dim: int = 8  # [p]
    beta: float = 0.01  # [p]; the released code's command line has 0.1
    lookahead: bool = True  # [p] Eq. 2
    iterations: int = 5000  # [p] a task
    batch_size: int = 128  # [p]
    learning_rate: float = 1e-4  # [p]
    initialization: str = "xavier"  # [c]


def build(config: Config, inputs: int, classes: int = 10) -> HyperNetLearner:
    """The learner of a configuration, its weights drawn with the configuration's seed."""
    torch.manual_seed(config.seed)
    outputs = Scenario.CL1.num_outputs(config.num_tasks, classes)
    target = TargetNetwork(MLP([inputs, *config.hidden, outputs]))
    hnet = HyperNetwork(
        target.num_weights, config.task_dim, config.hnet_hidden, config.chunk_size, config.chunk_dim, nn.ELU
    )
    training = Training(config.iterations, config.batch_size, config.learning_rate, config.seed)
    return HyperNetLearner(target, hnet, training, config.beta, config.lookahead)


def run(config: Config) -> dict[str, Any]:
    """Learn all tasks on the CPU; returns the record (see `hnetlib.experiments.record`)."""
    origin, start = record.provenance(), time.perf_counter()
    images = load_images("mnist")
    tasks = permuted(images, config.num_tasks, Scenario.CL1, config.padding, config.seed)
    learner = build(config, inputs=tasks[0].transform(tasks[0].train.x[:1]).shape[1])
    matrix = learn_all(learner, tasks)
    return {
        "experiment": "p10-cl1-hnet",
        "seed": config.seed,
        "tier": "paper",
        "config": asdict(config),
        "num_weights": {"target": learner.hnet.num_weights, "hypernetwork": learner.hnet.num_parameters()},
        "metrics": record.derived(matrix),
        "matrix": record.rows(matrix),
        "provenance": {
            **origin,
            "data_sha256": images.sha256,
            "wall_seconds": round(time.perf_counter() - start, 1),
            "resumed": False,
        },
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    print(record.write(run(Config(seed=parser.parse_args().seed))))
