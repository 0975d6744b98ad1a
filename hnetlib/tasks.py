"""Tasks, sequences of tasks, and the three scenarios of continual learning (Sect. 3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from hnetlib.data import Images
from hnetlib.errors import SizeError

Loss = Callable[[Tensor, Tensor], Tensor]


class Scenario(Enum):
    """What is known at test time, and so how many outputs the target network has [vandeven2019]."""

    CL1 = "task-incremental: the task is given; a head for each task"
    CL2 = "domain-incremental: the task is not given, and need not be found out; one head for all"
    CL3 = "class-incremental: the task is not given and must be found out; a head for each task"

    def num_outputs(self, num_tasks: int, classes: int) -> int:
        """Outputs of a target network for `num_tasks` tasks of `classes` classes each."""
        return classes if self is Scenario.CL2 else num_tasks * classes

    def head(self, task: int, classes: int) -> slice:
        """The outputs that belong to a task, counted from 0."""
        first = 0 if self is Scenario.CL2 else task * classes
        return slice(first, first + classes)


@dataclass(frozen=True)
class Split:
    """One half of a task's data, as stored; `Task.transform` makes inputs of it, a batch at a time."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)


def identity(x: Tensor) -> Tensor:
    """The transform of data that are inputs already."""
    return x


@dataclass(frozen=True)
class Task:
    """One thing to learn: data, the outputs that answer it, and the loss that judges the answer."""

    name: str
    train: Split
    test: Split
    head: slice | None = None  # outputs of the target network that belong to this task; None: all
    transform: Callable[[Tensor], Tensor] = identity  # stored x of a batch -> network input
    loss: Loss = F.cross_entropy


def standardized(task: Task) -> Task:
    """The task with its inputs scaled to mean 0 and standard deviation 1, all pixels of its training half together."""
    inputs = torch.cat([task.transform(x) for x in task.train.x.split(10_000)])
    mean, std = inputs.mean(), inputs.std()
    return replace(task, transform=lambda x: (task.transform(x) - mean) / std)


def growing(tasks: Sequence[Task]) -> list[Task]:
    """Class-incremental tasks for one network that is not told the task: all classes so far are possible answers.

    Each head goes from the first output to the end of the task's own, and labels are counted from the first output.
    """

    def moved(half: Split, first: int) -> Split:
        return replace(half, y=half.y + first)

    heads = [task.head or slice(0, 0) for task in tasks]
    return [
        replace(task, train=moved(task.train, head.start), test=moved(task.test, head.start), head=slice(0, head.stop))
        for task, head in zip(tasks, heads, strict=True)
    ]


def merged(tasks: Sequence[Task]) -> Task:
    """All classes of all tasks at once, labels counted through; inputs are made as in the first task."""

    def joined(halves: Sequence[Split]) -> Split:
        return Split(torch.cat([half.x for half in halves]), torch.cat([half.y for half in halves]))

    parts = growing(tasks)
    halves = joined([part.train for part in parts]), joined([part.test for part in parts])
    return Task("all classes", *halves, transform=tasks[0].transform)


# -- polynomials (Appendix C, Eqs. 7-9) ---------------------------------------------------------------------------

POLYNOMIALS: list[tuple[Callable[[Tensor], Tensor], tuple[float, float]]] = [
    (lambda x: x + 3, (-4.0, -2.0)),
    (lambda x: 2 * x**2 - 1, (-1.0, 1.0)),
    (lambda x: (x - 3) ** 3, (2.0, 4.0)),
]


def polynomials(seed: int = 0, num_samples: int = 100, sigma: float = 0.05) -> list[Task]:
    """The toy regression of Fig. 2: three polynomials on disjoint intervals, noisy samples for training.

    The test half is the noiseless polynomial on an even grid of 200 points.
    """
    generator = torch.Generator().manual_seed(seed)
    tasks = []
    for degree, (g, (low, high)) in enumerate(POLYNOMIALS, start=1):
        x = low + (high - low) * torch.rand(num_samples, 1, generator=generator)
        y = g(x) + sigma * torch.randn(num_samples, 1, generator=generator)
        grid = torch.linspace(low, high, 200)[:, None]
        tasks.append(Task(f"degree {degree}", Split(x, y), Split(grid, g(grid)), loss=F.mse_loss))
    return tasks


# -- images -------------------------------------------------------------------------------------------------------


def scale_pixels(x: UInt8[Tensor, " batch *pixels"]) -> Float[Tensor, " batch *pixels"]:
    """Bytes to [0, 1]."""
    return x.float() / 255


def permute_pixels(
    x: UInt8[Tensor, " batch *pixels"], order: Int64[Tensor, " inputs"]
) -> Float[Tensor, "batch inputs"]:
    """Flatten, reorder, scale to [0, 1]."""
    return scale_pixels(x.flatten(1)[:, order])


def permuted(
    images: Images,
    num_tasks: int,
    scenario: Scenario = Scenario.CL1,
    padding: int = 0,
    seed: int = 0,
) -> list[Task]:
    """The same images, their pixels in another fixed order for each task; the first task keeps the true order.

    Args:
        padding: zeros added on each side before permuting; the paper pads MNIST by 2, to 32 x 32.
        seed: draws the permutations.
    """
    border = (padding,) * 4
    train = Split(F.pad(images.train_images, border), images.train_labels)
    test = Split(F.pad(images.test_images, border), images.test_labels)
    generator = torch.Generator().manual_seed(seed)
    order = torch.arange(train.x[0].numel())
    tasks = []
    for t in range(num_tasks):
        transform = partial(permute_pixels, order=order.to(train.x.device))
        tasks.append(Task(f"permutation {t + 1}", train, test, scenario.head(t, images.num_classes), transform))
        order = torch.randperm(len(order), generator=generator)
    return tasks


def split(images: Images, classes: int = 2, scenario: Scenario = Scenario.CL1) -> list[Task]:
    """The classes of a data set in order, `classes` at a time: digits 0 and 1, then 2 and 3, ...

    Labels are counted from 0 inside each task.

    Raises:
        SizeError: the data set's classes cannot be dealt out evenly.
    """
    if images.num_classes % classes:
        raise SizeError(f"{images.num_classes} classes of {images.name} cannot be split into tasks of {classes}.")

    def part(x: Tensor, y: Tensor, first: int) -> Split:
        mine = (y >= first) & (y < first + classes)
        return Split(x[mine], y[mine] - first)

    tasks = []
    for t in range(images.num_classes // classes):
        first = t * classes
        train = part(images.train_images, images.train_labels, first)
        test = part(images.test_images, images.test_labels, first)
        name = f"classes {first} to {first + classes - 1}"
        tasks.append(Task(name, train, test, scenario.head(t, classes), scale_pixels))
    return tasks
