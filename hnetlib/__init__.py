"""Continual learning with task-conditioned hypernetworks (von Oswald et al., ICLR 2020).

Read the modules in this order; each imports only from those before it:
errors, target, initialization, networks, batchnorm, hypernet, regularizer, shapes, data, tasks, checkpoint, schedule,
graphs, learner, vae, baselines, metrics, plane, inference, replay, experiments, plots, widgets, cli.
"""

from hnetlib.data import Images, load_images
from hnetlib.hypernet import HyperNetwork
from hnetlib.learner import HyperNetLearner, Learner, Training
from hnetlib.metrics import learn_all
from hnetlib.networks import MLP
from hnetlib.target import TargetNetwork
from hnetlib.tasks import Scenario, Task, permuted, polynomials, split

__all__ = [
    "MLP",
    "HyperNetLearner",
    "HyperNetwork",
    "Images",
    "Learner",
    "Scenario",
    "TargetNetwork",
    "Task",
    "Training",
    "learn_all",
    "load_images",
    "permuted",
    "polynomials",
    "split",
]
