"""Fig. 2a, three polynomials in sequence: `python -m hnetlib.experiments.toy_regression --seeds 20`."""

import argparse
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from tqdm import trange

from hnetlib.experiments import record
from hnetlib.hypernet import HyperNetwork
from hnetlib.learner import HyperNetLearner, Training
from hnetlib.metrics import learn_all, mean_squared_error
from hnetlib.networks import MLP
from hnetlib.regularizer import OutputRegularizer
from hnetlib.target import TargetNetwork
from hnetlib.tasks import polynomials


@dataclass(frozen=True)
class Config:
    """All values are the paper's (Appendix C), but for the initialization, which is the released code's."""

    seed: int = 0  # of the data, the initial weights and the minibatches
    hidden: tuple[int, ...] = (10, 10)  # target network, sigmoid
    hnet_hidden: tuple[int, ...] = (10, 10)  # full hypernetwork, sigmoid
    task_dim: int = 2
    beta: float = 0.005
    lookahead: bool = True  # Eq. 2
    iterations: int = 4000  # a task
    batch_size: int = 32
    learning_rate: float = 0.01
    initialization: str = "xavier"


def build(config: Config) -> HyperNetLearner:
    """The learner of a configuration, its weights drawn with the configuration's seed."""
    torch.manual_seed(config.seed)
    target = TargetNetwork(MLP([1, *config.hidden, 1], nn.Sigmoid))
    hnet = HyperNetwork(target.num_weights, config.task_dim, config.hnet_hidden, activation=nn.Sigmoid)
    training = Training(config.iterations, config.batch_size, config.learning_rate, config.seed)
    # At this size the plain form of the regularizer is the faster one.
    return HyperNetLearner(target, hnet, training, config.beta, config.lookahead, regularizer=OutputRegularizer)


def run(config: Config) -> dict[str, Any]:
    """Learn the three polynomials; the matrix of the record holds mean squared errors."""
    origin, start = record.provenance(), time.perf_counter()
    matrix = learn_all(build(config), polynomials(config.seed), mean_squared_error)
    return {
        "experiment": "fig2" if config.beta == Config.beta else f"fig2-beta-{config.beta:g}",
        "seed": config.seed,
        "tier": "paper",
        "config": asdict(config),
        "metrics": {"worst_final_mean_squared_error": round(matrix[-1].max().item(), 6)},
        "matrix": record.rows(matrix, digits=6),
        "provenance": {**origin, "wall_seconds": round(time.perf_counter() - start, 1), "resumed": False},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="run the seeds 0, 1, ... up to this many")
    parser.add_argument("--beta", type=float, nargs="*", default=[Config.beta], help="strengths of the regularizer")
    arguments = parser.parse_args()
    for beta in arguments.beta:
        for seed in trange(arguments.seeds, desc=f"beta {beta:g}"):
            record.write(run(Config(seed=seed, beta=beta)))
