"""From an entry of the registry to a record."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hnetlib import tasks as sequences
from hnetlib.baselines import EWC, HAT, SI, FineTuning, FromScratch, Joint
from hnetlib.checkpoint import Checkpoint
from hnetlib.data import load_images
from hnetlib.errors import ConfigError, NotBuiltError
from hnetlib.experiments import config as settings
from hnetlib.experiments import record, registry
from hnetlib.experiments.config import Config, Tier
from hnetlib.hypernet import HyperNetwork
from hnetlib.inference import accuracy_by_entropy
from hnetlib.learner import HyperNetLearner, Training, products
from hnetlib.metrics import accuracy, learn_all, mean_squared_error
from hnetlib.networks import MLP
from hnetlib.plane import grid, require_plane, right_answers
from hnetlib.regularizer import OutputRegularizer, RowSampledRegularizer, SampledRegularizer, exact_regularizer
from hnetlib.target import TargetNetwork
from hnetlib.tasks import Scenario, Task, thinned

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "elu": nn.ELU, "sigmoid": nn.Sigmoid}
LATER = {  # the chapter that each method comes with
    settings.Replay: "Replay ({0.name}) is not built yet: it comes with the chapters on protected replay.",
}
Learning = HyperNetLearner | FineTuning
EXTENT = 5.0  # of the plane that Fig. 4 shows, in both directions of both axes [p]
ASKED = 500  # test examples of a task, evenly spaced, for each point of that plane [o]: all take four times as long


@dataclass(frozen=True)
class Job:
    """One run: an experiment, a seed, a tier, and what is asked for besides."""

    experiment: str
    seed: int = 0
    tier: Tier = "paper"
    changed: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    folder: Path = record.RESULTS
    every: float = 180.0  # seconds between two checkpoints inside a task

    @property
    def path(self) -> Path:
        """Where the record goes."""
        return record.place(self.experiment, self.seed, self.tier, self.folder)

    @property
    def config(self) -> Config:
        """What is run. Raises `ConfigError` where `changed` does not fit."""
        entry = registry.EXPERIMENTS[self.experiment]
        drawn = entry.draw(entry.config, self.seed) if entry.draw else entry.config
        if self.tier == "reduced" and entry.fewer:
            drawn = replace(drawn, tasks=replace(drawn.tasks, num_tasks=entry.fewer))
        return settings.with_values(settings.at_tier(drawn, self.tier), self.changed)

    @property
    def checkpoint(self) -> Path:
        """The file that the run goes on from."""
        return self.path.with_suffix(".checkpoint")


def execute(
    job: Job, deadline: float | None = None, progress: Callable[[int, Tensor], None] = lambda done, matrix: None
) -> Path:
    """Run a job, going on from its checkpoint where there is one; returns the record's path.

    Raises:
        NotBuiltError: its method is not in the package yet.
        CheckpointError, DataError, DivergedError, OutOfTime: see there.
    """
    config = job.config
    refuse_unbuilt(config)
    torch.manual_seed(job.seed)
    tasks, data = make_tasks(config, job.seed, job.device)
    learner = build(config, job.seed, tasks, job.device)
    origin = record.provenance(job.device)
    key = f"{job.experiment}, seed {job.seed}, {job.tier} tier, {fingerprint(config, job.device)}"
    checkpoint = Checkpoint(job.checkpoint, key, job.every, deadline, **origin)
    torch.set_num_threads(checkpoint.sessions[0]["threads"])  # with other threads, sums come out in another order
    toy = config.tasks.kind == "polynomials"
    measure = mean_squared_error if toy else accuracy
    with products(config.products):
        matrix = learn_all(learner, tasks, measure, checkpoint, progress, config.evaluate_every)
        without_task = inferred(config, learner, tasks)
        survey = surveyed(job, config.landscape, learner, tasks)
    digits = 6 if toy else 4
    result = record.Record(
        experiment=job.experiment,
        seed=job.seed,
        tier=job.tier,
        changed=job.changed,
        config=json.loads(json.dumps(settings.as_dict(config))),
        num_weights=num_weights(learner),
        metrics={"worst_final": round(matrix[-1].max().item(), digits)} if toy else record.derived(matrix),
        matrix=record.rows(matrix, digits),
        inferred=without_task,
        landscape=survey,
        provenance=summary(checkpoint, data),
    )
    path = record.write(result, job.path)
    job.checkpoint.unlink(missing_ok=True)
    return path


def fingerprint(config: Config, device: str) -> str:
    """What must be equal for a checkpoint to be gone on from."""
    content = json.dumps([settings.as_dict(config), device, torch.__version__], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def refuse_unbuilt(config: Config) -> None:
    """Say by name what is planned but not there."""
    for kind, why in LATER.items():
        if isinstance(config.method, kind):
            raise NotBuiltError(why.format(config.method))
    if isinstance(config.method, settings.EWC | settings.SI) and config.tasks.scenario == "CL3":
        raise NotBuiltError(
            f"{config.method.name} in CL3 is not built yet: it comes with the chapter on task inference."
        )
    if config.tasks.kind == "split-cifar" or config.target.kind != "mlp":
        raise NotBuiltError(
            f"{config.target.kind} on {config.tasks.kind} is not built yet: it comes with the chapter on CIFAR."
        )


def make_tasks(config: Config, seed: int, device: str) -> tuple[list[Task], str | None]:
    """The sequence of tasks, and the hash of the data behind it.

    Raises:
        ConfigError: there is no such sequence with so many tasks.
    """
    wanted = config.tasks
    if wanted.kind == "polynomials":
        if wanted.num_tasks != 3:
            raise ConfigError(f"There are three polynomials, not {wanted.num_tasks}: leave tasks.num_tasks at 3.")
        return sequences.polynomials(seed), None
    images, scenario = load_images(wanted.images, device), Scenario[wanted.scenario]
    if wanted.kind == "split" and images.num_classes % wanted.num_tasks:
        raise ConfigError(f"{images.num_classes} classes cannot be split evenly into {wanted.num_tasks} tasks.")
    if wanted.kind == "split":
        tasks = sequences.split(images, images.num_classes // wanted.num_tasks, scenario)
    else:
        tasks = sequences.permuted(images, wanted.num_tasks, scenario, wanted.padding, seed)
    if isinstance(config.method, settings.HNET) and config.method.label_smoothing:
        loss = partial(F.cross_entropy, label_smoothing=config.method.label_smoothing)
        tasks = [replace(task, loss=loss) for task in tasks]
    if isinstance(config.method, settings.HAT) and config.method.standardized:
        tasks = [sequences.standardized(task) for task in tasks]
    return tasks, images.sha256


def build(config: Config, seed: int, tasks: list[Task], device: str = "cpu") -> Learning:
    """A new learner, its weights drawn from PyTorch's random numbers."""
    inputs = tasks[0].transform(tasks[0].train.x[:1])[0].numel()
    outputs = max(task.head.stop for task in tasks if task.head) if tasks[0].head else 1
    module = MLP([inputs, *config.target.hidden, outputs], ACTIVATIONS[config.target.activation]).to(device)
    wanted = config.optimization
    training = Training(wanted.iterations, wanted.batch_size, wanted.learning_rate, seed)
    match config.method:
        case settings.FineTuning():
            return FineTuning(module, training)
        case settings.FromScratch():
            return FromScratch(module, training)
        case settings.Joint():
            return Joint(module, training, tasks=tasks)
        case settings.EWC() as ewc:
            return EWC(module, training, ewc.strength, ewc.gamma, ewc.examples)
        case settings.SI() as si:
            return SI(module, training, si.strength)
        case settings.HAT() as hat:
            descent = replace(training, learning_rate=hat.learning_rate)
            return HAT(module, descent, hat.strength, hat.s_max, hat.dropout, hat.patience)
    assert isinstance(config.method, settings.HNET)
    method, target, sizes = config.method, TargetNetwork(module), config.method.hypernet
    hnet = HyperNetwork(
        target.num_weights,
        sizes.task_dim,
        sizes.hidden,
        sizes.chunk_size,
        sizes.chunk_dim,
        ACTIVATIONS[sizes.activation],
    )
    learner = HyperNetLearner(
        target, hnet.to(device), training, method.beta, method.lookahead, regularizer=regularizer(method)
    )
    if config.landscape:
        require_plane(learner)  # said now, and not after the training
    return learner


def regularizer(method: settings.HNET) -> Callable[[HyperNetwork, float], OutputRegularizer]:
    """The form of Eq. 2's penalty."""
    if method.sampled_tasks:
        return partial(SampledRegularizer, num_samples=method.sampled_tasks)
    if method.sampled_chunks:
        return partial(RowSampledRegularizer, num_rows=method.sampled_chunks)
    return exact_regularizer


def num_weights(learner: Learning) -> dict[str, int]:
    """How large the networks are."""
    if not isinstance(learner, HyperNetLearner):
        return {"target": sum(p.numel() for p in learner.module.parameters())}
    return {"target": learner.target.num_weights, "hypernetwork": learner.hnet.num_parameters()}


def inferred(config: Config, learner: Learning, tasks: list[Task]) -> dict[str, record.Inferred]:
    """What the same trained model does when the task is not given: in CL2 with one head, in CL3 with many.

    Not for long sequences: a hundred networks on the tests of a hundred tasks take longer than training them.
    """
    if not isinstance(learner, HyperNetLearner) or config.tasks.kind == "polynomials" or len(tasks) > 20:
        return {}
    scenario = Scenario.CL2 if config.tasks.scenario == "CL2" else Scenario.CL3
    accuracies, found = (
        [round(value, 4) for value in values] for values in accuracy_by_entropy(learner, tasks, scenario)
    )
    final = round(sum(accuracies) / len(accuracies), 4)
    return {"entropy": record.Inferred(final=final, accuracies=accuracies, task_inference=found)}


def surveyed(job: Job, points: int | None, learner: Learning, tasks: list[Task]) -> record.Landscape | None:
    """Fig. 4: the first and the last task over the plane of embeddings; the counts go into a file beside the record."""
    if not points or not isinstance(learner, HyperNetLearner):
        return None
    plane = grid(EXTENT, points).to(learner.hnet.last.weight)
    shown = dict.fromkeys([0, len(tasks) - 1])
    fewer = {t: replace(tasks[t], test=thinned(tasks[t].test, ASKED)) for t in shown}
    counts = {t: right_answers(learner, task, t, plane) for t, task in fewer.items()}
    embeddings = [[round(value, 6) for value in e.tolist()] for e in learner.hnet.task_embeddings]
    examples = {t: len(task.test) for t, task in fewer.items()}
    return record.write_landscape(counts, job.path, extent=EXTENT, embeddings=embeddings, examples=examples)


def summary(checkpoint: Checkpoint, data: str | None) -> record.Provenance:
    """Where a run comes from, all its sessions together."""
    first, sessions = checkpoint.sessions[0], checkpoint.sessions
    commits = list(dict.fromkeys(session["commit"] for session in sessions))
    seconds = round(checkpoint.elapsed(), 1)
    return record.Provenance(
        **{name: value for name, value in first.items() if name != "seconds"},
        data_sha256=data,
        wall_seconds=seconds,
        resumed=len(sessions) - 1,
        commits=commits if len(commits) > 1 else [],
    )
