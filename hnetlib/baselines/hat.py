"""Hard attention to the task: every task gets a mask over units, and what earlier tasks use is closed to learning."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn, optim
from torch.nn import functional as F

from hnetlib.baselines.finetuning import FineTuning
from hnetlib.checkpoint import Stateful
from hnetlib.errors import SizeError
from hnetlib.learner import Training, adjustable, train
from hnetlib.networks import MLP
from hnetlib.target import of_head
from hnetlib.tasks import Task, prepared

STEEPEST = 50.0  # cosh of more overflows
TINY = 1e-12  # units that may still be taken when none is left
LEAST_RATE = 1e-4  # below this, training ends
CLOSED = 1e-30  # gates below it
RANGE = 6.0  # task embeddings stay in ±6, where gates can still turn


@dataclass
class HAT(FineTuning):
    """Hard attention to the task [serra2018]. A task must be given at test time (CL1).

    Each hidden unit i of layer l has a gate a_li = σ(s e_li), with a task embedding e and a steepness s that grows from
    1/s_max to s_max within each epoch. Gates of earlier tasks, a^{<t} (their maximum), close weights: the gradient of
    the weight from unit j to unit i is multiplied by 1 - min(a_i^{<t}, a_j^{<t}). The loss gets
    c Σ a^t (1 - a^{<t}) / Σ (1 - a^{<t}), so that tasks leave units for others.

    As in the authors' code, the learning rate falls to a third where the loss on the training half has not fallen for
    `patience` epochs, training ends when it would be below 1e-4, and the weights with the least loss are kept.

    Args:
        module: the network; its outputs are the heads of all tasks side by side.
        training: iterations at most, and batch size; the learning rate is the first of stochastic gradient descent.
        strength: c.
        s_max: the steepest gate, also at test time.
        dropout: of the inputs, and of the hidden units.
        patience: in epochs.

    Raises:
        SizeError: the network has no hidden layer.
    """

    SHARED: ClassVar[bool] = False
    module: MLP
    training: Training = field(default_factory=lambda: Training(learning_rate=0.05))
    strength: float = 0.75
    s_max: float = 400.0
    dropout: tuple[float, float] = (0.2, 0.5)
    patience: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.layers = [layer for layer in self.module if isinstance(layer, nn.Linear)]
        self.units = [layer.out_features for layer in self.layers[:-1]]
        if not self.units:
            raise SizeError("HAT needs a network with hidden layers: without hidden units there is nothing to gate.")
        self.activation = self.module[2]  # flatten, first layer, activation
        self.embeddings: list[Tensor] = []  # e of each task learned, all layers behind each other
        self.used = self.layers[0].weight.detach().new_zeros(sum(self.units))  # a^{<t}

    def part(self, embedding: Tensor, s: float | Tensor, apart: bool = False) -> "Part":
        """What a task's gates a = σ(s e), a vector for each hidden layer, leave of the network."""
        return Part(self.module, torch.sigmoid(s * embedding).split(self.units), apart)

    def gated(self, x: Tensor, part: "Part", head: slice | None, training: bool = False) -> Tensor:
        """What a head says when hidden units are multiplied by their gates: only the open part of the network works."""
        hidden, values = F.dropout(x.flatten(1), self.dropout[0], training), iter(part.values)
        for gate, opened, weight, bias in zip(part.gates, part.opened, values, values, strict=False):
            hidden = self.activation(F.linear(hidden, weight, bias))
            hidden = F.dropout(hidden, self.dropout[1], training) * chosen(gate, opened)
        return of_head(F.linear(hidden, *part.values[-2:]), head)

    def free(self) -> list[Tensor]:
        """For each weight and bias of a hidden layer, how far it may still learn: 1 - min(a_i^{<t}, a_j^{<t})."""
        used = self.used.split(self.units)
        weights = [1 - used[0][:, None]]  # inputs are used by all
        weights += [1 - torch.minimum(after[:, None], before[None]) for before, after in pairwise(used)]
        return [mask for weight, bias in zip(weights, used, strict=True) for mask in (weight, 1 - bias)]

    def objective(self, task: Task, x: Tensor, y: Tensor, part: "Part", training: bool) -> Tensor:
        """The task's loss through the gates, and the price of the units that they take from later tasks."""
        unused = 1 - self.used
        crowding = (torch.cat(part.gates) * unused).sum() / unused.sum().clamp(min=TINY)
        return task.loss(self.gated(x, part, task.head, training), y) + self.strength * crowding

    def whole(self, task: Task, part: "Part") -> float:
        """The objective on the training half, without dropout."""
        batches = task.train.batches(2000)
        found = [self.objective(task, task.transform(x), y, part, training=False) * len(y) for x, y in batches]
        return torch.stack(found).sum().item() / len(task.train)

    def fit(self, task: Task) -> None:
        """Train the network and the task's gates together."""
        task = prepared(task)
        embedding, free = nn.Parameter(torch.randn_like(self.used)), self.free()
        weights = [*self.module.parameters(), embedding]
        rate = adjustable(self.training.learning_rate, weights)
        optimizer = optim.SGD(weights, rate, fused=True)
        _, epoch = self.training.steps(task)
        schedule = Schedule(optimizer, weights, self.patience)

        def step(x: Tensor, y: Tensor) -> Tensor:
            """A step of gradient descent for free weights and for the gates."""
            s = anneal(schedule.steps % epoch, epoch, self.s_max)
            optimizer.zero_grad()
            part = self.part(embedding, s, apart=True)
            loss = self.objective(task, x, y, part, training=True)
            loss.backward()
            with torch.no_grad():
                torch._foreach_mul_([p.grad for p in part.values[:-2] if p.grad is not None], part.of(free))
                assert embedding.grad is not None
                embedding.grad *= compensation(embedding, s, self.s_max)
                learning = [*part.values, embedding]
                nn.utils.clip_grad_norm_(learning, 10_000.0)
                optimizer.param_groups[0]["params"] = learning  # without momentum it does not mind
                optimizer.step()
                part.put_back()
                embedding.clamp_(-RANGE, RANGE)
                schedule.steps += 1
            return loss.detach()

        @torch.no_grad()
        def look() -> None:
            """After an epoch."""
            schedule.epoch_done(self.whole(task, self.part(embedding, self.s_max)))

        kept = nn.ParameterList([embedding])
        trained: dict[str, Stateful] = {"module": self.module, "e": kept, "optimizer": optimizer, "schedule": schedule}
        torch.set_flush_denormal(True)  # products of nearly closed gates: with so small numbers a CPU is slow
        try:
            train(task, self.training, step, trained, schedule.finished, after_epoch=look)
        finally:
            torch.set_flush_denormal(False)
        schedule.keep_best()
        self.embeddings.append(embedding.detach())

    def consolidate(self, task: Task) -> None:
        """What the task uses is taken."""
        self.used = torch.maximum(self.used, torch.sigmoid(self.s_max * self.embeddings[-1]))

    def answer(self, x: Tensor, task: int) -> Tensor:
        """Outputs of the task's head, through the task's gates."""
        return self.gated(x, self.part(self.embeddings[task], self.s_max), self.heads[task])

    def state_dict(self) -> dict[str, Any]:
        """The network, and each task's head and gates."""
        return {**super().state_dict(), "embeddings": list(self.embeddings), "used": self.used}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the place of the learner that gave this state."""
        super().load_state_dict(state_dict)
        self.embeddings, self.used = list(state_dict["embeddings"]), state_dict["used"]


def anneal(step: float | Tensor, steps: int, s_max: float) -> float | Tensor:
    """s at a step of an epoch, both from 0: from 1/s_max to s_max, linearly."""
    return 1 / s_max + (s_max - 1 / s_max) * step / max(1, steps - 1)


def open_units(gate: Tensor) -> Tensor | None:
    """Which units have gates that are not closed, if they are fewer than four of five; None is all.

    With s_max = 400 most gates are closed most of the time: far from 1, σ(s e) is less than rounding takes from the
    others. A GPU takes all, as it would have to wait for the answer.
    """
    if gate.is_cuda:
        return None
    units = (gate.detach() > CLOSED).nonzero().squeeze(1)
    return units if 5 * len(units) < 4 * len(gate) else None


def chosen(tensor: Tensor, rows: Tensor | None, columns: Tensor | None = None) -> Tensor:
    """Some rows and columns of a tensor; None is all."""
    tensor = tensor if rows is None else tensor.index_select(0, rows)
    return tensor if columns is None else tensor.index_select(1, columns)


class Part:
    """What gates leave of a network: the weights and biases between open units.

    A closed unit changes no output, and its weights get no gradient.

    Args:
        module: the network.
        gates: of each hidden layer.
        apart: give the part's weights a gradient of their own; the network gets them by `put_back`.
    """

    def __init__(self, module: nn.Module, gates: Sequence[Tensor], apart: bool = False):
        self.gates, self.whole = list(gates), list(module.parameters())
        self.opened = [open_units(gate) for gate in gates]
        around = pairwise([None, *self.opened, None])
        self.places = [place for before, after in around for place in ((after, before), (after, None))]
        self.values = self.of(self.whole)
        if apart:
            self.values = [value.detach().requires_grad_() for value in self.values]

    def of(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The part of tensors of the shapes of weights and biases, from the first layer on."""
        return [chosen(tensor, *place) for tensor, place in zip(tensors, self.places, strict=False)]

    def put_back(self) -> None:
        """Into the network; where all is open, the part is the network."""
        for tensor, value, (rows, columns) in zip(self.whole, self.values, self.places, strict=True):
            if rows is not None and columns is not None:
                tensor[rows[:, None], columns] = value
            elif rows is not None:
                tensor.index_copy_(0, rows, value)
            elif columns is not None:
                tensor.index_copy_(1, columns, value)


def compensation(e: Tensor, s: float | Tensor, s_max: float) -> Tensor:
    """What the gradient for e is multiplied by, so that it is as if the gates were always of steepness 1, times s_max.

    σ'(s e) s over σ'(e) is s [cosh(e) + 1] / [cosh(s e) + 1]; dividing by it undoes the annealing's effect.
    """
    return s_max / s * (torch.cosh((s * e).clamp(-STEEPEST, STEEPEST)) + 1) / (torch.cosh(e) + 1)


class Schedule:
    """Lowers the learning rate where the loss no longer falls, says when training is over, keeps the best weights."""

    def __init__(self, optimizer: optim.Optimizer, weights: Sequence[Tensor], patience: int):
        self.weights, self.best = list(weights), [p.detach().clone() for p in weights]
        self.steps = torch.zeros((), dtype=torch.float64, device=self.weights[0].device)
        self.rate = float(optimizer.param_groups[0]["lr"])  # a number: to look at a tensor makes a GPU wait
        self.least = min(LEAST_RATE, self.rate)
        self.plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=1 / 3, patience=patience - 1, threshold=0)

    def epoch_done(self, loss: float) -> None:
        """Another pass over the training half, and the loss on it now."""
        if loss < self.plateau.best:
            self.best = [p.detach().clone() for p in self.weights]
        self.plateau.step(loss)
        self.rate = float(self.plateau.optimizer.param_groups[0]["lr"])

    def finished(self) -> bool:
        """Whether the learning rate is too small to go on."""
        return self.rate < self.least

    @torch.no_grad()
    def keep_best(self) -> None:
        """Go back to where the loss was least."""
        if self.plateau.best < float("inf"):  # at least one epoch
            torch._foreach_copy_(self.weights, self.best)

    def state_dict(self) -> dict[str, Any]:
        """Where it is."""
        return {"steps": self.steps, "best": self.best, "rate": self.rate, "plateau": self.plateau.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.steps, self.best, self.rate = state_dict["steps"], state_dict["best"], state_dict["rate"]
        self.plateau.load_state_dict(state_dict["plateau"])
