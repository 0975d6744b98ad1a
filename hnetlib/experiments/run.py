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
from hnetlib.baselines import (
    EWC,
    HAT,
    SI,
    Autoencoder,
    FineTuning,
    FromScratch,
    Joint,
    OldData,
    Rehearsal,
    ReplayedVAE,
)
from hnetlib.checkpoint import Checkpoint
from hnetlib.data import load_images
from hnetlib.errors import ConfigError, NotBuiltError
from hnetlib.experiments import config as settings
from hnetlib.experiments import record, registry
from hnetlib.experiments.config import Config, Tier
from hnetlib.hypernet import HyperNetwork
from hnetlib.inference import accuracy_by_entropy
from hnetlib.learner import HyperNetLearner, Training, products
from hnetlib.metrics import accuracy, accuracy_unaided, learn_all, mean_squared_error
from hnetlib.networks import MLP, autoencoder, discriminator
from hnetlib.regularizer import OutputRegularizer, RowSampledRegularizer, SampledRegularizer, exact_regularizer
from hnetlib.replay import Gallery, ProtectedGAN, ProtectedVAE, TaskInference, accuracy_by_classifier
from hnetlib.replay.gallery import recognized
from hnetlib.replay.inference import TaskClassifier
from hnetlib.target import TargetNetwork
from hnetlib.tasks import Scenario, Task
from hnetlib.vae import Latent, Memory

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "elu": nn.ELU, "sigmoid": nn.Sigmoid}
Learning = HyperNetLearner | FineTuning | TaskInference | Gallery


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
    with products(config.products):
        matrix = learn_all(learner, tasks, measure(config), checkpoint, progress, config.evaluate_every)
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
        **judged(learner, tasks, job.path),
        provenance=summary(checkpoint, data),
    )
    path = record.write(result, job.path)
    job.checkpoint.unlink(missing_ok=True)
    return path


def measure(config: Config) -> Callable[[Any, Task, int], float]:
    """What the matrix is a matrix of."""
    if config.tasks.kind == "polynomials":
        return mean_squared_error
    if isinstance(config.method, settings.Pictures):
        return recognized
    return accuracy_unaided if one_softmax(config) else accuracy


def one_softmax(config: Config) -> bool:
    """Whether one network tells all classes apart and is not told the task: CL3, but for those that infer it."""
    replays = isinstance(config.method, settings.Replay) and config.method.name != "hnet-tir"
    return replays and config.tasks.scenario == "CL3"


def judged(learner: Learning, tasks: list[Task], path: Path) -> dict[str, Any]:
    """Of generated pictures: how good their judge is on true ones; some pictures themselves go into a file."""
    if not isinstance(learner, Gallery):
        return {}
    pictures = {"first": torch.stack(learner.first), "final": learner.look(range(len(tasks)))}
    judge = round(accuracy(learner, sequences.merged(tasks), 0), 4)
    return {"judge": judge, "arrays_sha256": record.write_arrays(pictures, path)}


def fingerprint(config: Config, device: str) -> str:
    """What must be equal for a checkpoint to be gone on from."""
    content = json.dumps([settings.as_dict(config), device, torch.__version__], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def refuse_unbuilt(config: Config) -> None:
    """Say by name what is planned but not there."""
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
    if one_softmax(config):
        tasks = sequences.growing(tasks)
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
        case settings.Replay(name="hnet-tir") as replay:
            return task_inference(replay, module, training, tasks)
        case settings.Replay() as replay:
            scenario = Scenario[config.tasks.scenario]
            remembered = memory(replay, training, tasks, device)
            many = len(tasks)
            return Rehearsal(module, training, memory=remembered, scenario=scenario, num_tasks=many, even=replay.even)
        case settings.Pictures() as pictures:
            FineTuning(module, training).learn(sequences.merged(tasks))
            return Gallery(protected(pictures, training, inputs, device), module)
    return protected_classifier(config.method, module, training)


def protected_classifier(method: settings.HNET, module: nn.Module, training: Training) -> HyperNetLearner:
    """HNET."""
    target = TargetNetwork(module)
    hnet = hypernetwork(method.hypernet, target).to(next(module.parameters()).device)
    return HyperNetLearner(target, hnet, training, method.beta, method.lookahead, regularizer=regularizer(method))


def hypernetwork(sizes: settings.Hypernet, target: TargetNetwork) -> HyperNetwork:
    """A hypernetwork for a target network."""
    activation = ACTIVATIONS[sizes.activation]
    return HyperNetwork(target.num_weights, sizes.task_dim, sizes.hidden, sizes.chunk_size, sizes.chunk_dim, activation)


def task_inference(method: settings.Replay, module: MLP, training: Training, tasks: list[Task]) -> TaskInference:
    """HNET+TIR. The task classifier has the same layers as the classifier, and an output for each task."""
    assert method.classifier
    classifier = replace(method.classifier, sampled_tasks=method.sampled_tasks, sampled_chunks=method.sampled_chunks)
    learner = protected_classifier(classifier, module, training)
    layers = [layer for layer in module if isinstance(layer, nn.Linear)]
    sizes = [layers[0].in_features, *(layer.out_features for layer in layers[:-1]), len(tasks)]
    device = layers[0].weight.device
    remembered = memory(method, training, tasks, device)
    asked = TaskClassifier(MLP(sizes).to(device), training, memory=remembered, num_tasks=len(tasks), even=method.even)
    return TaskInference(learner, asked)


def memory(method: settings.Replay, training: Training, tasks: list[Task], device: torch.device | str) -> Memory:
    """What replays the past."""
    inputs = tasks[0].transform(tasks[0].train.x[:1])[0].numel()
    if method.name == "replay-upper-bound":
        return OldData(tasks)
    if method.generator:
        return protected(method, training, inputs, device)
    networks = Autoencoder(*autoencoder(inputs, method.encoder, method.decoder, method.latent))
    return ReplayedVAE(networks.to(device), training, inputs=latent(method, training), even=method.even)


def latent(method: settings.Replay | settings.Pictures, training: Training) -> Latent:
    """Latent vector and constant input are of the same length."""
    return Latent(method.latent, method.latent, training.seed)


def protected(
    method: settings.Replay | settings.Pictures, training: Training, inputs: int, device: torch.device | str
) -> ProtectedVAE | ProtectedGAN:
    """A generator from a hypernetwork."""
    kind: type[ProtectedVAE] | type[ProtectedGAN] = ProtectedVAE
    if isinstance(method, settings.Pictures):
        partner, decoder = autoencoder(inputs, method.partner, method.decoder, method.latent)
        beta = method.beta
        if method.kind == "gan":
            kind, partner = ProtectedGAN, discriminator(inputs, method.partner, method.dropout)
    else:
        partner, decoder = autoencoder(inputs, method.encoder, method.decoder, method.latent)
        beta = method.generator_beta
    assert method.generator
    target = TargetNetwork(decoder.to(device))
    hnet = hypernetwork(method.generator, target).to(device)
    learner = kind(target, hnet, training, beta, partner=partner.to(device), inputs=latent(method, training))
    learner.regularizer = regularizer(method)
    return learner


def regularizer(
    method: settings.HNET | settings.Replay | settings.Pictures,
) -> Callable[[HyperNetwork, float], OutputRegularizer]:
    """The form of Eq. 2's penalty."""
    if method.sampled_tasks:
        return partial(SampledRegularizer, num_samples=method.sampled_tasks)
    if method.sampled_chunks:
        return partial(RowSampledRegularizer, num_rows=method.sampled_chunks)
    return exact_regularizer


def num_weights(learner: Any) -> dict[str, int]:
    """How large the networks are."""
    match learner:
        case HyperNetLearner():
            return {"target": learner.target.num_weights, "hypernetwork": learner.hnet.num_parameters()}
        case TaskInference():
            of_tasks = {f"{name} of tasks": size for name, size in num_weights(learner.classifier).items()}
            return {**num_weights(learner.learner), **of_tasks}
        case Rehearsal():
            return {
                **count(learner),
                **{f"{name} of replay": size for name, size in num_weights(learner.memory).items()},
            }
        case Gallery():
            return num_weights(learner.generator)
        case FineTuning():
            return count(learner)
    return {}


def count(learner: FineTuning) -> dict[str, int]:
    """The weights of an ordinary network."""
    return {"target": sum(p.numel() for p in learner.module.parameters())}


def inferred(config: Config, learner: Learning, tasks: list[Task]) -> dict[str, record.Inferred]:
    """What the same trained model does when the task is not given: in CL2 with one head, in CL3 with many.

    By entropy not for long sequences: a hundred networks on the tests of a hundred tasks take longer than training.
    """
    scenario = Scenario.CL2 if config.tasks.scenario == "CL2" else Scenario.CL3
    if isinstance(learner, TaskInference):
        return {"inferred": as_inferred(*accuracy_by_classifier(learner, tasks, scenario))}
    if not isinstance(learner, HyperNetLearner) or config.tasks.kind == "polynomials" or len(tasks) > 20:
        return {}
    return {"entropy": as_inferred(*accuracy_by_entropy(learner, tasks, scenario))}


def as_inferred(accuracies: list[float], found: list[float]) -> record.Inferred:
    """Accuracies and shares of tasks found, rounded, as a record has them."""
    accuracies, found = ([round(value, 4) for value in values] for values in (accuracies, found))
    final = round(sum(accuracies) / len(accuracies), 4)
    return record.Inferred(final=final, accuracies=accuracies, task_inference=found)


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
