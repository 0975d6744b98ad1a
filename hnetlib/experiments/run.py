"""From an entry of the registry to a record."""

import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hnetlib import tasks as sequences
from hnetlib.baselines import EWC, HAT, SI, Anew, FineTuning, FromScratch, Joint
from hnetlib.batchnorm import batch_statistics, generated_statistics
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
from hnetlib.networks import MLP, Mixed, ResNet, ZenkeNet
from hnetlib.regularizer import OutputRegularizer, RowSampledRegularizer, SampledRegularizer, exact_regularizer
from hnetlib.target import TargetNetwork
from hnetlib.tasks import Scenario, Task

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "elu": nn.ELU, "sigmoid": nn.Sigmoid}
LATER = {  # the chapter that each method comes with
    settings.Replay: "Replay ({0.name}) is not built yet: it comes with the chapters on protected replay.",
}
PICTURES = {"cifar": ("cifar10", "cifar100"), "shapes": ("shapes",)}  # data sets of colour pictures, in order
Learning = HyperNetLearner | Anew | FineTuning


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
        provenance=summary(checkpoint, data),
    )
    path = record.write(result, job.path)
    job.checkpoint.unlink(missing_ok=True)
    return path


def fingerprint(config: Config, device: str) -> str:
    """What must be equal for a checkpoint to be gone on from.

    Settings at their defaults are left out. One that comes later, its default being what was done before, ends no run.
    """
    content = json.dumps([stated(config), device, torch.__version__], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def stated(value: Any) -> Any:
    """Settings that are not at their defaults, as plain data, with the names of their classes."""
    if not is_dataclass(value):
        return value
    pairs = ((setting, getattr(value, setting.name)) for setting in fields(value))
    return {"": type(value).__name__} | {s.name: stated(v) for s, v in pairs if v != s.default}


def refuse_unbuilt(config: Config) -> None:
    """Say by name what is planned but not there."""
    for kind, why in LATER.items():
        if isinstance(config.method, kind):
            raise NotBuiltError(why.format(config.method))
    if isinstance(config.method, settings.EWC | settings.SI) and config.tasks.scenario == "CL3":
        raise NotBuiltError(
            f"{config.method.name} in CL3 is not built yet: it comes with the chapter on task inference."
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
    if wanted.kind == "split-cifar":
        return colour_tasks(wanted, device)
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


def colour_tasks(wanted: settings.Tasks, device: str) -> tuple[list[Task], str]:
    """Tasks of colour pictures, of ten classes or four, and the hashes of their data sets."""
    if wanted.images not in PICTURES or wanted.scenario != "CL1":
        raise ConfigError(f"split-cifar is of {' or '.join(PICTURES)} in CL1, not {wanted.images} {wanted.scenario}.")
    sets = [load_images(name, device) for name in PICTURES[wanted.images]]
    classes = 4 if wanted.images == "shapes" else 10
    tasks = sequences.split_colours(sets, wanted.num_tasks, classes, wanted.augment, wanted.normalize)
    return tasks, " ".join(images.sha256 for images in sets)


def network(config: Config, tasks: list[Task]) -> nn.Module:
    """The target network, its weights drawn from PyTorch's random numbers.

    Raises:
        ConfigError: it does not fit the tasks.
    """
    target, example = config.target, tasks[0].transform(tasks[0].train.x[:1])
    outputs = max(task.head.stop for task in tasks if task.head) if tasks[0].head else 1
    if target.kind == "mlp":
        return MLP([example.numel(), *target.hidden, outputs], ACTIVATIONS[target.activation])
    if config.tasks.kind != "split-cifar":
        raise ConfigError(f"A {target.kind} takes colour pictures, not those of {config.tasks.kind}.")
    module: nn.Module = ZenkeNet(outputs, target.width)
    if target.kind == "resnet":
        module = ResNet(outputs, target.blocks, target.width)
    if target.statistics in ("batch", "generated"):
        module = (batch_statistics if target.statistics == "batch" else generated_statistics)(module)
    return Mixed(module) if config.products == "bfloat16" else module


def build(config: Config, seed: int, tasks: list[Task], device: str = "cpu") -> Learning:
    """A new learner, its weights drawn from PyTorch's random numbers."""
    module = network(config, tasks).to(device)
    wanted = config.optimization
    training = Training(
        wanted.iterations,
        wanted.batch_size,
        wanted.learning_rate,
        seed,
        wanted.epochs,
        wanted.beta1,
        wanted.decay,
        wanted.plateau,
    )
    match config.method:
        case settings.FineTuning():
            return FineTuning(module, training)
        case settings.FromScratch(hypernet=None):
            return FromScratch(module, training)
        case settings.FromScratch(hypernet=settings.Hypernet() as hypernet):
            return Anew(lambda: generated(config, settings.HNET(hypernet), copy.deepcopy(module), training))
        case settings.Joint():
            return Joint(module, training, tasks=tasks)
        case settings.EWC() as ewc:
            return EWC(module, training, ewc.strength, ewc.gamma, ewc.examples)
        case settings.SI() as si:
            return SI(module, training, si.strength)
        case settings.HAT() as hat:
            if not isinstance(module, MLP):
                raise ConfigError(f"HAT here gates the units of an MLP, not of a {config.target.kind}.")
            descent = replace(training, learning_rate=hat.learning_rate)
            return HAT(module, descent, hat.strength, hat.s_max, hat.dropout, hat.patience)
        case settings.HNET() as method:
            return generated(config, method, module, training)
    raise NotBuiltError(f"{config.method.name} is not built yet.")


def generated(config: Config, method: settings.HNET, module: nn.Module, training: Training) -> HyperNetLearner:
    """The module as a target network, and a new hypernetwork that makes it."""
    target, sizes = TargetNetwork(module), method.hypernet
    hnet = HyperNetwork(
        target.num_weights,
        sizes.task_dim,
        sizes.hidden,
        sizes.chunk_size,
        sizes.chunk_dim,
        ACTIVATIONS[sizes.activation],
    )
    return HyperNetLearner(
        target,
        hnet.to(next(module.parameters()).device),
        training,
        method.beta,
        method.lookahead,
        regularizer=regularizer(method),
        store_buffers=config.target.statistics != "running",
    )


def regularizer(method: settings.HNET) -> Callable[[HyperNetwork, float], OutputRegularizer]:
    """The form of Eq. 2's penalty."""
    if method.sampled_tasks:
        return partial(SampledRegularizer, num_samples=method.sampled_tasks)
    if method.sampled_chunks:
        return partial(RowSampledRegularizer, num_rows=method.sampled_chunks)
    return exact_regularizer


def num_weights(learner: Learning) -> dict[str, int]:
    """How large the networks are."""
    if isinstance(learner, Anew):
        parts = [num_weights(one) for one in learner.learners]
        return {name: sum(part[name] for part in parts) for name in parts[0]}
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
