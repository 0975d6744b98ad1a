"""What a run is made of, as data. Where a value comes from stands beside it in `registry.py`."""

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from hnetlib.errors import ConfigError

Tier = Literal["quick", "reduced", "paper"]
ScenarioName = Literal["CL1", "CL2", "CL3"]
Statistics = Literal["stored", "running", "batch", "generated"]
Dropped = Literal["channels", "units"]
Count = Annotated[int, Field(gt=0)]
ZeroOrMore = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0)]
Strength = Annotated[float, Field(ge=0)]


@dataclass(frozen=True)
class Tasks:
    """The sequence of tasks."""

    kind: Literal["permuted", "split", "polynomials", "split-cifar"]
    images: Literal["none", "digits", "mnist", "cifar", "shapes"]  # which pictures, if any
    num_tasks: Count
    scenario: ScenarioName = "CL1"  # what is known at test time
    padding: ZeroOrMore = 0  # zeros added on each side of a picture
    augment: bool = False  # colour pictures: moved and mirrored by chance in training
    normalize: bool = False  # colour pictures: ImageNet's mean and standard deviation of each colour


@dataclass(frozen=True)
class Target:
    """The network that answers."""

    kind: Literal["mlp", "resnet", "zenkenet"] = "mlp"
    hidden: tuple[Count, ...] = ()  # sizes of the hidden layers of an MLP
    activation: Literal["relu", "sigmoid"] = "relu"  # of an MLP
    blocks: Count = 5  # of a ResNet, in each stage
    width: Count = 16  # channels of the first stage
    # of batch norm: kept for each task, one for all tasks, of the batch at hand, made by the hypernetwork
    statistics: Statistics = "stored"
    dropped: Dropped = "channels"  # behind each stage of a ZenkeNet


@dataclass(frozen=True)
class Hypernet:
    """The network that makes a network."""

    task_dim: Count  # length of a task embedding
    chunk_dim: ZeroOrMore  # length of a chunk embedding
    hidden: tuple[Count, ...]  # sizes of its hidden layers
    chunk_size: Count | None  # weights made at a time; null: all at once
    activation: Literal["elu", "relu", "sigmoid"] = "elu"


@dataclass(frozen=True)
class HNET:
    """The hypernetwork with the output regularizer; the task is given, or inferred by lowest entropy."""

    hypernet: Hypernet
    beta: Strength = 0.01  # β_output of Eq. 2
    lookahead: bool = True  # the penalty at Θ_h + ΔΘ_h
    sampled_tasks: Count | None = None  # regularize so many random tasks a step (Appendix D); null: all
    sampled_chunks: Count | None = None  # or so many random chunks of random tasks; null: all
    label_smoothing: Share = 0.0  # of the target probability, spread evenly over the classes
    name: Literal["hnet"] = "hnet"


@dataclass(frozen=True)
class FineTuning:
    """No protection."""

    name: Literal["fine-tuning"] = "fine-tuning"


@dataclass(frozen=True)
class FromScratch:
    """A network of its own for each task."""

    hypernet: Hypernet | None = None  # generated, by a new one for each task; null: trained directly
    name: Literal["from-scratch"] = "from-scratch"


@dataclass(frozen=True)
class Joint:
    """Trained on the data of all tasks so far."""

    name: Literal["joint"] = "joint"


@dataclass(frozen=True)
class EWC:
    """Online elastic weight consolidation."""

    strength: Strength  # λ
    gamma: Share = 1.0  # how much of the old Fisher information is kept
    examples: Count | None = None  # how many the Fisher information is estimated from; null: all
    one_adam: bool = False  # keep one optimizer for all tasks
    name: Literal["ewc"] = "ewc"


@dataclass(frozen=True)
class SI:
    """Synaptic intelligence."""

    strength: Strength  # c
    damping: Rate = 0.1  # ξ
    together: bool = False  # the path integral takes the gradient of loss and penalty together
    one_adam: bool = False  # keep one optimizer for all tasks
    name: Literal["si"] = "si"


@dataclass(frozen=True)
class HAT:
    """Hard attention to the task, trained by stochastic gradient descent."""

    learning_rate: Rate = 0.05  # of SGD; that of `Optimization` is Adam's, and not used
    s_max: Rate = 400.0  # steepest gate
    strength: Strength = 0.75  # c, of the sparsity regularizer
    dropout: tuple[Share, Share] = (0.2, 0.5)  # of the inputs, of hidden units
    patience: Count = 5  # epochs without improvement until the learning rate falls
    standardized: bool = True  # inputs of mean 0 and standard deviation 1
    name: Literal["hat"] = "hat"


@dataclass(frozen=True)
class Replay:
    """A generator that replays the past: unprotected (DGR), or from a hypernetwork (HNET+R, HNET+TIR)."""

    name: Literal["dgr", "hnet-r", "hnet-tir", "replay-upper-bound"]
    encoder: tuple[Count, ...] = ()  # hidden layers of the VAE's encoder
    decoder: tuple[Count, ...] = ()  # hidden layers of the VAE's decoder
    latent: Count = 100  # length of the latent vector, and of the decoder's constant task input
    generator: Hypernet | None = None  # makes the decoder
    generator_beta: Strength = 0.0  # its β_output
    classifier: HNET | None = None  # HNET+TIR: the protected classifier
    even: bool = False  # the T-th task weighs 1/T, not one half; in HNET+TIR, for the task classifier
    leave_room: bool = False  # for new classes in soft targets (CL3)
    own_word: bool = False  # HNET+TIR: samples are of the task that the classifier took them for
    sampled_tasks: Count | None = None  # as in HNET, for generator and classifier
    sampled_chunks: Count | None = None


@dataclass(frozen=True)
class Pictures:
    """A generator of pictures, one task after another, and nothing else (Fig. A8); `target` is a classifier that judges
    them."""

    kind: Literal["vae", "gan"]
    partner: tuple[Count, ...]  # hidden layers of the encoder or discriminator
    decoder: tuple[Count, ...]  # hidden layers of the decoder or generator
    generator: Hypernet  # makes the decoder
    beta: Strength  # its β_output
    latent: Count = 100  # length of the latent vector, and of the decoder's constant task input
    dropout: Share = 0.0  # of the discriminator's hidden units
    hyperfan: bool = False  # the hypernetwork starts so that generated weights have the variance of ordinary ones
    sampled_tasks: Count | None = None
    sampled_chunks: Count | None = None
    name: Literal["pictures"] = "pictures"


# The name says which it is, so that what is wrong is said of the right one.
Method = Annotated[
    HNET | FineTuning | FromScratch | Joint | EWC | SI | HAT | Replay | Pictures, Field(discriminator="name")
]


@dataclass(frozen=True)
class Optimization:
    """How one task is trained: Adam."""

    iterations: Count  # steps a task
    batch_size: Count  # samples a step
    learning_rate: Rate
    epochs: Count | None = None  # but no more than so many passes over the task's data; null: no such limit
    beta1: Share = 0.9  # of Adam
    decay: tuple[tuple[Share, Rate], ...] = ()  # after this share of the epochs, so much of the learning rate
    plateau: bool = False  # less, too, where TEST accuracy no longer rises


@dataclass(frozen=True)
class Config:
    """All that a run depends on besides its seed, which draws data, initial weights and the order of samples."""

    tasks: Tasks
    target: Target
    method: Method
    optimization: Optimization
    initialization: Literal["xavier"] = "xavier"  # of every matrix; biases 0, embeddings N(0, 1)
    products: Literal["float32", "bfloat16"] = "float32"  # what matrix products may round their factors to
    evaluate_every: Count = 1  # tasks from one test of all tasks learned to the next; the new one is always tested
    landscape: Count | None = None  # Fig. 4: so many embeddings a side of a square are tested in the end; null: none


READER = TypeAdapter(Config)  # plain data -> a configuration; making one takes longer than using it


def at_tier(config: Config, tier: Tier) -> Config:
    """The configuration at another tier."""
    if tier == "paper":
        return config
    return reduced(config) if tier == "reduced" else quick(config)


def reduced(config: Config) -> Config:
    """A tenth of the steps, or of the epochs, but at least 20 of these.

    Products are of bfloat16 numbers where the processor has them, but in the penalty of Eq. 2. In sequences of more
    than 50 tasks that penalty is of 128 random chunks a step instead of all, or of whole tasks. EWC estimates the
    Fisher information from 6,000 examples. HAT is patient for one epoch. What would still take many hours has a
    fortieth of the steps: HAT, replay of more than 50 tasks, anything of more than 100; HAT of more than 50 tasks has
    a hundredth.
    """
    method, steps, tasks = config.method, shorter(config.optimization), config.tasks.num_tasks
    slow = isinstance(method, HAT) or tasks > 100 or (isinstance(method, Replay) and tasks > 50)
    fewer = 10 if isinstance(method, HAT) and tasks > 50 else 4 if slow else 1
    steps = replace(steps, iterations=max(1, steps.iterations // fewer))
    if isinstance(method, HNET | Replay) and tasks > 50:
        method = replace(method, sampled_tasks=None, sampled_chunks=128)
    if isinstance(method, HAT):
        method = replace(method, patience=1)
    if isinstance(method, EWC):
        method = replace(method, examples=6000)
    return replace(config, method=method, optimization=steps, products="bfloat16")


def quick(config: Config) -> Config:
    """8 x 8 digits or painted shapes, at most five tasks (pictures: ten), small networks, a higher learning rate.

    It runs the same code, and says nothing about the paper's numbers.
    """
    optimization, method = config.optimization, config.method
    if config.tasks.kind == "polynomials":
        return replace(config, optimization=replace(optimization, iterations=1000))
    images: Literal["shapes", "digits"] = "shapes" if config.tasks.kind == "split-cifar" else "digits"
    most = 10 if isinstance(method, Pictures) else 5
    tasks = replace(config.tasks, images=images, num_tasks=min(most, config.tasks.num_tasks), padding=0)
    target = replace(config.target, hidden=narrow(config.target.hidden), blocks=1, width=8)
    steps, batch, rate = (100, 32, 0.003) if images == "shapes" else (200, 64, 0.003)
    if isinstance(method, Pictures) and method.kind == "gan":
        steps, rate = 600, 0.001
    optimization = replace(optimization, iterations=steps, batch_size=batch, learning_rate=rate, epochs=None)
    if isinstance(method, HNET | FromScratch) and method.hypernet:
        method = replace(method, hypernet=small(method.hypernet))
    if isinstance(method, Replay | Pictures):
        method = small_replay(method)
    return replace(
        config,
        tasks=tasks,
        target=target,
        method=method,
        optimization=optimization,
        evaluate_every=1,
        landscape=config.landscape and min(11, config.landscape),
    )


def shorter(optimization: Optimization) -> Optimization:
    """A tenth of the steps; where epochs are counted, a tenth of them, but at least 20."""
    if not optimization.epochs:
        return replace(optimization, iterations=max(1, optimization.iterations // 10))
    epochs = min(optimization.epochs, max(20, optimization.epochs // 10))
    steps = optimization.iterations * epochs // optimization.epochs
    return replace(optimization, iterations=steps, epochs=epochs)


def narrow(hidden: tuple[int, ...]) -> tuple[int, ...]:
    """Hidden layers for the quick tier."""
    return tuple(min(100, units) for units in hidden)


def small(hypernet: Hypernet) -> Hypernet:
    """A hypernetwork for the quick tier."""
    return replace(
        hypernet,
        task_dim=min(16, hypernet.task_dim),
        chunk_dim=min(8, hypernet.chunk_dim),
        hidden=tuple(min(16, units) for units in hypernet.hidden),
        chunk_size=hypernet.chunk_size and max(10, min(1500, hypernet.chunk_size // 50)),
    )


def small_replay(method: Replay | Pictures) -> Replay | Pictures:
    """Generative networks for the quick tier."""
    generator, decoder = method.generator and small(method.generator), narrow(method.decoder)
    if isinstance(method, Pictures):
        assert generator
        return replace(method, generator=generator, decoder=decoder, partner=narrow(method.partner), latent=16)
    classifier = method.classifier and replace(method.classifier, hypernet=small(method.classifier.hypernet))
    encoder = narrow(method.encoder)
    return replace(method, generator=generator, classifier=classifier, encoder=encoder, decoder=decoder, latent=16)


def with_values(config: Config, values: dict[str, Any]) -> Config:
    """The configuration with some values changed: {"method.beta": 0.1}.

    Raises:
        ConfigError: there is no such key, or the value is of another type than the key needs.
    """
    data = asdict(config)
    for path, value in values.items():
        *way, key = path.split(".")
        place: Any = data
        for step in way:
            place = place.get(step) if isinstance(place, dict) else None
        if not isinstance(place, dict) or key not in place:
            raise ConfigError(f"There is no setting {path!r}; the known ones are {', '.join(flatten(data))}.")
        place[key] = value
    try:
        return READER.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        named = {step for path in values for step in path.split(".")}
        where = ".".join(str(part) for part in first["loc"] if str(part) in named)
        raise ConfigError(f"{where or ', '.join(values)}: {first['msg']}, got {first['input']!r}.") from None


def flatten(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by their whole name, with dots for levels: "method.beta"."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
