"""From a configuration to what it describes: the sequence of tasks, the networks, the learner."""

import copy
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch
from torch import nn
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
from hnetlib.batchnorm import batch_statistics, generated_statistics
from hnetlib.data import load_images
from hnetlib.errors import ConfigError
from hnetlib.experiments import config as settings
from hnetlib.experiments.config import Config
from hnetlib.hypernet import HyperNetwork
from hnetlib.initialization import hyperfan_
from hnetlib.learner import HyperNetLearner, Training
from hnetlib.networks import MLP, Mixed, ResNet, ZenkeNet, autoencoder, discriminator
from hnetlib.plane import require_plane
from hnetlib.regularizer import OutputRegularizer, RowSampledRegularizer, exact_regularizer, sampled_regularizer
from hnetlib.replay import Gallery, ProtectedGAN, ProtectedVAE, TaskClassifier, TaskInference
from hnetlib.target import TargetNetwork
from hnetlib.tasks import Scenario, Task
from hnetlib.vae import Latent, Memory

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "elu": nn.ELU, "sigmoid": nn.Sigmoid}
PICTURES = {"cifar": ("cifar10", "cifar100"), "shapes": ("shapes",)}  # data sets of colour pictures, in order
Learning = HyperNetLearner | FromScratch | FineTuning | TaskInference | Gallery
# Whether the decoder, and whether the classifier, are generated.
REPLAY = {"dgr": (0, 0), "hnet-r": (1, 0), "hnet-tir": (1, 1), "replay-upper-bound": (0, 0)}


def softmax_grows(config: Config) -> bool:
    """CL3 with a single network: one softmax over the classes of all tasks so far, in training and in testing."""
    method = config.method
    infers = isinstance(method, settings.HNET) or (isinstance(method, settings.Replay) and method.name == "hnet-tir")
    return config.tasks.scenario == "CL3" and not infers and not isinstance(method, settings.Pictures)


def image_sets(wanted: settings.Tasks) -> tuple[str, ...]:
    """The names of the data sets that the tasks are made of, as `load_images` takes them."""
    if wanted.kind == "polynomials":
        return ()
    return PICTURES.get(wanted.images, ()) if wanted.kind == "split-cifar" else (wanted.images,)


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
        tasks, sha256 = colour_tasks(wanted, device)
        return smoothed(config, tasks), sha256
    images, scenario = load_images(wanted.images, device), Scenario[wanted.scenario]
    if wanted.kind == "split" and images.num_classes % wanted.num_tasks:
        raise ConfigError(f"{images.num_classes} classes cannot be split evenly into {wanted.num_tasks} tasks.")
    if wanted.kind == "split":
        tasks = sequences.split(images, images.num_classes // wanted.num_tasks, scenario)
    else:
        tasks = sequences.permuted(images, wanted.num_tasks, scenario, wanted.padding, seed)
    if softmax_grows(config):
        if isinstance(config.method, settings.HAT | settings.FromScratch):
            raise ConfigError(f"{config.method.name} must be told the task: CL1, not CL3.")
        tasks = sequences.one_softmax(tasks)
    if isinstance(config.method, settings.HAT) and config.method.standardized:
        tasks = [sequences.standardized(task) for task in tasks]
    return smoothed(config, tasks), images.sha256


def smoothed(config: Config, tasks: list[Task]) -> list[Task]:
    """The tasks with softer labels for a hypernetwork's classifier, where it asks for them."""
    method = config.method.classifier if isinstance(config.method, settings.Replay) else config.method
    if not isinstance(method, settings.HNET) or not method.label_smoothing:
        return tasks
    loss = partial(F.cross_entropy, label_smoothing=method.label_smoothing)
    return [replace(task, loss=loss) for task in tasks]


def colour_tasks(wanted: settings.Tasks, device: str) -> tuple[list[Task], str]:
    """Tasks of colour pictures, of ten classes or four, and the hashes of their data sets."""
    if wanted.images not in PICTURES or wanted.scenario != "CL1":
        raise ConfigError(f"split-cifar is of {' or '.join(PICTURES)} in CL1, not {wanted.images} {wanted.scenario}.")
    sets = [load_images(name, device) for name in image_sets(wanted)]
    classes = 4 if wanted.images == "shapes" else 10
    tasks = sequences.split_colours(sets, wanted.num_tasks, classes, wanted.augment, wanted.normalize)
    return tasks, " ".join(images.sha256 for images in sets)


def inputs_of(tasks: list[Task]) -> int:
    """How many numbers an input has."""
    return tasks[0].transform(tasks[0].train.x[:1])[0].numel()


def network(config: Config, tasks: list[Task]) -> nn.Module:
    """The target network, its weights drawn from PyTorch's random numbers.

    Raises:
        ConfigError: it does not fit the tasks.
    """
    target = config.target
    outputs = max(task.head.stop for task in tasks if task.head) if tasks[0].head else 1
    if target.kind == "mlp":
        return MLP([inputs_of(tasks), *target.hidden, outputs], ACTIVATIONS[target.activation])
    if config.tasks.kind != "split-cifar":
        raise ConfigError(f"A {target.kind} takes colour pictures, not those of {config.tasks.kind}.")
    module: nn.Module = ZenkeNet(outputs, target.width, whole=target.dropped == "channels")
    if target.kind == "resnet":
        module = ResNet(outputs, target.blocks, target.width)
    if target.statistics in ("batch", "generated"):
        module = (batch_statistics if target.statistics == "batch" else generated_statistics)(module)
    return Mixed(module) if config.products == "bfloat16" else module


def training_of(config: Config, seed: int) -> Training:
    """How each task is trained."""
    return Training(**asdict(config.optimization), seed=seed)


def build(config: Config, seed: int, tasks: list[Task], device: str = "cpu") -> Learning:
    """A new learner, its weights drawn from PyTorch's random numbers. The judge of a gallery is still to be trained."""
    module = network(config, tasks).to(device)
    training = training_of(config, seed)
    match config.method:
        case settings.FineTuning():
            return FineTuning(module, training)
        case settings.FromScratch(hypernet=None):
            return FromScratch(lambda: FineTuning(network(config, tasks).to(device), training))
        case settings.FromScratch(hypernet=settings.Hypernet() as hypernet):
            return FromScratch(lambda: generated(config, settings.HNET(hypernet), copy.deepcopy(module), training))
        case settings.Joint():
            return Joint(module, training, tasks=tasks)
        case settings.EWC() as ewc:
            return EWC(module, training, ewc.strength, ewc.gamma, ewc.examples, one_adam=ewc.one_adam)
        case settings.SI() as si:
            return SI(module, training, si.strength, si.damping, si.together, one_adam=si.one_adam)
        case settings.HAT() as hat:
            if not isinstance(module, MLP):
                raise ConfigError(f"HAT here gates the units of an MLP, not of a {config.target.kind}.")
            descent = replace(training, learning_rate=hat.learning_rate)
            return HAT(module, descent, hat.strength, hat.s_max, hat.dropout, hat.patience)
        case settings.HNET() as method:
            return generated(config, method, module, training)
        case settings.Replay() as replay if (bool(replay.generator), bool(replay.classifier)) != REPLAY[replay.name]:
            raise ConfigError(f"{replay.name} has other parts: its generator and classifier do not fit its name.")
        case settings.Replay(classifier=settings.HNET() as method) as replay:
            if replay.sampled_tasks or replay.sampled_chunks:
                method = replace(method, sampled_tasks=replay.sampled_tasks, sampled_chunks=replay.sampled_chunks)
            answers = generated(config, method, module, training)
            return TaskInference(answers, task_classifier(config, replay, training, tasks, device))
        case settings.Replay() as replay:
            return Rehearsal(
                module,
                training,
                memory=memory(replay, training, tasks, device),
                scenario=Scenario[config.tasks.scenario],
                num_tasks=len(tasks),
                even=replay.even,
                leave_room=replay.leave_room,
            )
        case settings.Pictures() as pictures:
            return Gallery(protected(pictures, training, inputs_of(tasks), device), module)
    raise ConfigError(f"No learner is known for {config.method}.")


def generated(config: Config, method: settings.HNET, module: nn.Module, training: Training) -> HyperNetLearner:
    """The module as a target network, and a new hypernetwork that makes it."""
    target = TargetNetwork(module)
    hnet = hypernetwork(method.hypernet, target).to(next(module.parameters()).device)
    learner = HyperNetLearner(
        target,
        hnet,
        training,
        method.beta,
        method.lookahead,
        regularizer=regularizer(method),
        store_buffers=config.target.statistics != "running",
    )
    if config.landscape:
        require_plane(learner)  # said now, and not after the training
    return learner


def hypernetwork(sizes: settings.Hypernet, target: TargetNetwork) -> HyperNetwork:
    """A hypernetwork for a target network."""
    activation = ACTIVATIONS[sizes.activation]
    return HyperNetwork(target.num_weights, sizes.task_dim, sizes.hidden, sizes.chunk_size, sizes.chunk_dim, activation)


def task_classifier(
    config: Config, method: settings.Replay, training: Training, tasks: list[Task], device: torch.device | str
) -> TaskClassifier:
    """α of Eq. 6: the layers of the classifier, but an output for each task."""
    module = MLP([inputs_of(tasks), *config.target.hidden, len(tasks)], ACTIVATIONS[config.target.activation])
    past = memory(method, training, tasks, device)
    return TaskClassifier(
        module.to(device),
        training,
        memory=past,
        num_tasks=len(tasks),
        even=method.even,
        own_word=method.own_word,
    )


def memory(method: settings.Replay, training: Training, tasks: list[Task], device: torch.device | str) -> Memory:
    """What replays the past."""
    inputs = inputs_of(tasks)
    if method.name == "replay-upper-bound":
        return OldData(tasks)
    if method.generator:
        return protected(pictures_of(method), training, inputs, device)
    networks = Autoencoder(*autoencoder(inputs, method.encoder, method.decoder, method.latent))
    return ReplayedVAE(networks.to(device), training, inputs=latent(method, training), even=method.even)


def latent(method: settings.Replay | settings.Pictures, training: Training) -> Latent:
    """Latent vector and constant input are of the same length."""
    return Latent(method.latent, method.latent, training.seed)


def pictures_of(method: settings.Replay) -> settings.Pictures:
    """The replay model alone: a VAE whose decoder is generated."""
    assert method.generator
    return settings.Pictures(
        "vae",
        method.encoder,
        method.decoder,
        method.generator,
        method.generator_beta,
        method.latent,
        sampled_tasks=method.sampled_tasks,
        sampled_chunks=method.sampled_chunks,
    )


def protected(
    method: settings.Pictures, training: Training, inputs: int, device: torch.device | str
) -> ProtectedVAE | ProtectedGAN:
    """A generator from a hypernetwork."""
    kind: type[ProtectedVAE] | type[ProtectedGAN] = ProtectedVAE
    partner, decoder = autoencoder(inputs, method.partner, method.decoder, method.latent)
    if method.kind == "gan":
        kind, partner = ProtectedGAN, discriminator(inputs, method.partner, method.dropout)
    target = TargetNetwork(decoder.to(device))
    hnet = hypernetwork(method.generator, target).to(device)
    if method.hyperfan:
        hyperfan_(hnet, target)
    return kind(
        target,
        hnet,
        training,
        method.beta,
        regularizer=regularizer(method),
        partner=partner.to(device),
        inputs=latent(method, training),
    )


def regularizer(method: settings.HNET | settings.Pictures) -> Callable[[HyperNetwork, float], OutputRegularizer]:
    """The form of Eq. 2's penalty."""
    if method.sampled_tasks:
        return partial(sampled_regularizer, num_samples=method.sampled_tasks)
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
        case FineTuning():
            replay = num_weights(learner.memory) if isinstance(learner, Rehearsal) else {}
            own = {"target": sum(p.numel() for p in learner.module.parameters())}
            return {**own, **{f"{name} of replay": size for name, size in replay.items()}}
        case Gallery():
            return num_weights(learner.generator)
        case FromScratch():
            parts = [num_weights(one) for one in learner.learners]
            return {name: sum(part[name] for part in parts) for name in parts[0]}
    return {}
