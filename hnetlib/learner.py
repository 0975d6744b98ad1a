"""What every method of the book can do, learn a task and predict, and how the hypernetwork does it."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn, optim
from tqdm import tqdm

from hnetlib.checkpoint import CURRENT, Stateful, all_or_nothing
from hnetlib.errors import DivergedError, SizeError, learned
from hnetlib.graphs import Recorded
from hnetlib.hypernet import HyperNetwork
from hnetlib.regularizer import Lookahead, OutputRegularizer, exact_regularizer
from hnetlib.schedule import Rate
from hnetlib.target import Buffers, TargetNetwork, as_heads, as_pairs
from hnetlib.tasks import Task

CHECK_EVERY = 100  # steps between looks at the loss: a look makes a GPU wait
EVALUATION_BATCH = 2000  # test samples at a time


@runtime_checkable
class Learner(Protocol):
    """A method of continual learning. Tasks come one after another and count from 0 in the order they came."""

    def learn(self, task: Task) -> None:
        """Learn one more task, from this task's data alone."""

    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        """Outputs for network inputs x of a learned task, that task's head only; None: the task is not known."""
        ...


@dataclass(frozen=True)
class Training:
    """How one task is trained."""

    iterations: int = 5000  # optimizer steps a task
    batch_size: int = 128  # samples a step
    learning_rate: float = 1e-4  # of every optimizer: those of Θ_h and of the embedding alike
    seed: int = 0  # of the order of the minibatches
    epochs: int | None = None  # but no more than so many passes over the task's data
    beta1: float = 0.9  # of Adam
    decay: tuple[tuple[float, float], ...] = ()  # of the learning rate, see `hnetlib.schedule.Rate`
    plateau: bool = False  # let it fall where TEST accuracy no longer rises, too
    recorded: bool = True  # on a GPU, record a step and replay it: what it does in Python happens a few times only

    def steps(self, task: Task) -> tuple[int, int]:
        """Optimizer steps for a task, and steps of one pass over its data."""
        epoch = max(1, len(task.train) // self.batch_size)
        return min(self.iterations, (self.epochs or self.iterations) * epoch), epoch

    def adam(self, parameters: Iterable[Tensor]) -> optim.Adam:
        """A fresh optimizer."""
        parameters = list(parameters)
        rate = adjustable(self.learning_rate, parameters)
        return optim.Adam(parameters, rate, betas=(self.beta1, 0.999), fused=True, capturable=torch.is_tensor(rate))


def adjustable(rate: float, parameters: Sequence[Tensor]) -> float | Tensor:
    """A learning rate; on a GPU a tensor there, which a recorded step looks up every time."""
    device = next((p.device for p in parameters if p.is_cuda), None)
    return torch.tensor(rate, device=device) if device else rate


Step = Callable[[Tensor, Tensor], Tensor]


@cache
def full_precision() -> str:
    """PyTorch's fastest setting that multiplies float32 matrices in full.

    "medium" lets a processor round the factors if it has units for that. One that has none multiplies in full, but by
    another library, oneDNN instead of MKL; on AMD that is twice as fast. Which one this is, is told by trying.
    """
    if torch.cuda.is_available():
        return "highest"
    a = torch.rand(256, 256, generator=torch.Generator().manual_seed(0))
    with setting("medium"):
        error = (a @ a - a.double() @ a.double()).abs().max() / a.shape[0]
    return "medium" if error < 1e-6 else "highest"


@contextmanager
def setting(precision: str) -> Iterator[None]:
    """PyTorch's own names: "highest", "high", "medium"."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = precision != "highest"  # of a GPU's convolutions
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


ROUNDED: ContextVar[bool] = ContextVar("ROUNDED", default=False)  # whether products("bfloat16") is in force


@contextmanager
def products(precision: str) -> Iterator[None]:
    """Multiply matrices of float32 numbers in full, or as if they were "bfloat16" where the processor is faster so."""
    rounded = precision == "bfloat16"
    token = ROUNDED.set(rounded)
    try:
        with setting("medium" if rounded else full_precision()):
            yield
    finally:
        ROUNDED.reset(token)


def forward_pass(x: Tensor) -> torch.autocast:
    """The context of a task's forward pass: in `products("bfloat16")`, on a CPU with units for them, of such numbers.

    Stored as bfloat16 they are multiplied more than twice as fast as float32 numbers. A GPU rounds these on the way.
    """
    wanted = ROUNDED.get() and not x.is_cuda
    return torch.autocast(x.device.type, torch.bfloat16, enabled=wanted and torch.cpu._is_avx512_bf16_supported())


def minibatches(task: Task, training: Training) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless passes over the training half, each in a new order; a remainder smaller than a batch is dropped."""
    return map(task.batch, indices(task, training))


def indices(task: Task, training: Training) -> Iterator[Int64[Tensor, " batch"]]:
    """Which training examples are in each minibatch."""
    y = task.train.y
    size = min(training.batch_size, len(y))
    generator = torch.Generator(y.device).manual_seed(training.seed)
    while True:
        order = torch.randperm(len(y), generator=generator, device=y.device)
        yield from order.split(size)[: len(y) // size]


def train(
    task: Task,
    training: Training,
    step: Step,
    trained: Mapping[str, Stateful],
    finished: Callable[[], bool] = lambda: False,
    outputs: Callable[[Tensor], Tensor] | None = None,
    after_epoch: Callable[[], None] = lambda: None,
) -> None:
    """Call `step(x, y)`, which returns the loss, for the `training.steps` minibatches of the task.

    On a GPU the step is recorded and replayed, unless `training.recorded` is False (see `hnetlib.graphs.Recorded` for
    what it may not do then).

    Args:
        trained: everything that `step` changes, by name: modules and optimizers. With a `Checkpoint` in force it is
            saved from time to time.
        finished: whether to stop early.
        outputs: what the network says now, at test time; only `training.plateau` asks for it.
        after_epoch: called after each pass over the data.

    Raises:
        DivergedError: the loss is no longer finite (looked at every 100 steps and at the end).
        OutOfTime: the deadline of the `Checkpoint` in force has passed.
        RecordingError: a GPU cannot record the step.
    """
    last, epoch = training.steps(task)
    optimizers = [thing for thing in trained.values() if isinstance(thing, optim.Optimizer)]
    rate = Rate(optimizers, training.learning_rate, training.decay, training.plateau)
    if training.plateau:
        trained = {**trained, "rate": rate}
    checkpoint = CURRENT.get()
    start = checkpoint.enter(trained) if checkpoint else 0
    steps = tqdm(range(start + 1, last + 1), task.name, last, initial=start, leave=False, disable=None)

    def minibatch(index: Tensor) -> Tensor:
        """A step on these examples."""
        return step(*task.batch(index))

    advance = Recorded(minibatch) if task.train.y.is_cuda and training.recorded else minibatch
    for i, index in zip(steps, itertools.islice(indices(task, training), start, None), strict=False):
        if finished():  # so already when the run went on from a checkpoint
            break
        rate.begin((i - 1) // epoch, last / epoch)
        loss = advance(index)
        if i % epoch == 0:
            after_epoch()
            if outputs and training.plateau:
                rate.measured(test_accuracy(outputs, task))
        ends = i == last or finished()
        if (i % CHECK_EVERY == 0 or ends) and not torch.isfinite(loss):
            raise DivergedError(
                f"The loss on {task.name!r} was {loss.item()} after {i} steps. Try a learning rate below "
                f"{training.learning_rate:g}, and check the inputs for NaN."
            )
        if checkpoint:
            checkpoint.tick(i, trained, ends)


@torch.no_grad()
def test_accuracy(outputs: Callable[[Tensor], Tensor], task: Task) -> float:
    """Percent of the task's test half that is answered right."""
    batches = task.test.batches(EVALUATION_BATCH)
    right = sum((outputs(task.transform(x)).argmax(dim=1) == y).sum() for x, y in batches)
    return 100 * int(right) / len(task.test)


@dataclass
class HyperNetLearner:
    """A target network generated by a hypernetwork that the output regularizer protects (HNET).

    What else can be generated and protected so, a decoder for one, fills in `loss` and `companions`.

    Raises:
        SizeError: the hypernetwork does not generate as many weights as the target network has.
    """

    target: TargetNetwork
    hnet: HyperNetwork
    training: Training = field(default_factory=Training)
    beta: float = 0.01  # strength of the regularizer, β_output in Eq. 2; 0 is fine-tuning
    lookahead: bool = True  # evaluate the penalty at Θ_h + ΔΘ_h (Eq. 2), or at Θ_h
    move_embeddings: bool = False  # Appendix C: earlier embeddings may move, their targets stay
    regularizer: Callable[[HyperNetwork, float], OutputRegularizer] = exact_regularizer
    store_buffers: bool = True  # predict with the buffers that the task left, or for every task with the last ones

    def __post_init__(self) -> None:
        if self.hnet.num_weights != self.target.num_weights:
            raise SizeError(
                f"The hypernetwork generates {self.hnet.num_weights:,} weights, but the target network needs "
                f"{self.target.num_weights:,}. Build it with num_weights=target.num_weights."
            )
        self.heads: list[slice | None] = []
        self.buffers: list[Buffers] = []  # of the target, batch-norm statistics for one, as each task left them

    def learn(self, task: Task) -> None:
        """Learn one more task with Eq. 2. If that does not end well (Ctrl-C, too), all is put back as it was.

        Raises:
            DivergedError: the loss became NaN or infinite.
        """
        with all_or_nothing(self, self.target):
            step, trained = self.begin(task)
            train(task, self.training, step, trained, outputs=partial(self.now, head=task.head))
        self.heads.append(task.head)
        self.buffers.append(self.target.copy_buffers())

    def begin(self, task: Task) -> tuple[Step, dict[str, Stateful]]:
        """Add a task; returns one step of training on it, and what the step changes."""
        hnet = self.hnet
        with products("float32"):  # as the penalty itself below
            protect = self.regularizer(hnet, self.beta) if hnet.num_tasks and self.beta else None
        embedding = hnet.embedding(hnet.add_task())
        theta = hnet.theta()
        embeddings = list(hnet.task_embeddings) if self.move_embeddings else [embedding]
        others = self.companions()
        groups = theta.values(), embeddings, *(module.parameters() for module in others.values())
        optimizers = [self.training.adam(parameters) for parameters in groups]
        lookahead = Lookahead(theta, optimizers[0])
        for module in (self.target.module, *others.values()):
            module.train()

        def step(x: Tensor, y: Tensor) -> Tensor:
            """Both parts of the gradient of Eq. 2, and a step of every optimizer."""
            for optimizer in optimizers:
                optimizer.zero_grad()
            with forward_pass(x):
                weights = hnet(embedding).to(embedding.dtype)  # batch norm wants them so
                loss = self.loss(task, weights, x, y)
            loss.backward()  # the task's part of the gradient, at Θ_h
            if protect:
                with products("float32"):  # small differences of large numbers: rounding would drown them
                    protect(lookahead() if self.lookahead else theta).backward()  # the penalty's part, at Θ_h + ΔΘ_h
            for optimizer in optimizers:
                optimizer.step()
            return loss.detach()

        names = ("theta", "e", *(f"optimizer of the {name}" for name in others))
        return step, {"hnet": hnet, "target": self.target, **others, **dict(zip(names, optimizers, strict=True))}

    def loss(self, task: Task, weights: Float[Tensor, " weights"], x: Tensor, y: Tensor) -> Tensor:
        """What a minibatch of the task asks to be small, given the generated weights: L_task of Eq. 2."""
        return task.loss(self.target(weights, x, task.head), y)

    def companions(self) -> dict[str, nn.Module]:
        """Networks that are trained along with the hypernetwork, each by an Adam of its own, and not protected."""
        return {}

    def now(self, x: Tensor, head: slice | None) -> Tensor:
        """Outputs for the task that is being learned, in the middle of it."""
        self.target.module.eval()
        outputs = self.target(self.hnet(self.hnet.embedding(self.hnet.num_tasks - 1)), x, head)
        self.target.module.train()
        return outputs

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        """Generate the task's target network and apply it.

        Raises:
            UnknownTaskError: no task was given, or one that was never learned.
        """
        task = learned(task, self.hnet.num_tasks, "hypernetwork")
        self.target.module.eval()
        weights = self.hnet(self.hnet.embedding(task))
        return self.target(weights, x, self.heads[task], self.buffers_of(task))

    def buffers_of(self, task: int) -> Buffers:
        """What the target network keeps besides weights when it answers for a task."""
        return self.buffers[task if self.store_buffers else -1]

    @torch.no_grad()
    def weights_of(self, tasks: Iterable[int]) -> dict[str, Tensor]:
        """Weights of the target network for several learned tasks, by name, a row for each task.

        They lie side by side: views into one long vector a task would be copied by every batched product.

        Raises:
            UnknownTaskError: one of the tasks was never learned.
        """
        generated = self.hnet(torch.stack([self.hnet.embedding(task) for task in tasks]))
        return {name: weights.contiguous() for name, weights in self.target.unflatten(generated).items()}

    def state_dict(self) -> dict[str, Any]:
        """The hypernetwork, each task's head and buffers, and the companions."""
        others = {name: module.state_dict() for name, module in self.companions().items()}
        return {"hnet": self.hnet.state_dict(), "heads": as_pairs(self.heads), "buffers": list(self.buffers), **others}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the place of the learner that gave this state."""
        self.hnet.task_embeddings = self.hnet.task_embeddings[:0]
        for _ in state_dict["heads"]:
            self.hnet.add_task()
        self.hnet.load_state_dict(state_dict["hnet"])
        self.heads = as_heads(state_dict["heads"])
        self.buffers = list(state_dict["buffers"])
        for name, module in self.companions().items():
            module.load_state_dict(state_dict[name])
        if self.buffers:  # the next task goes on from what the last one left in the module itself
            self.target.load_state_dict(self.buffers[-1])
