"""Tasks, sequences of tasks, and the three scenarios of continual learning (Sect. 3)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache, partial

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

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All samples in order, at most so many at a time."""
        return zip(self.x.split(size), self.y.split(size), strict=True)


def thinned(half: Split, samples: int) -> Split:
    """Every so many-th sample, at most `samples` in all."""
    step = -(-len(half) // samples)
    return Split(half.x[::step], half.y[::step])


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
    augment: Callable[[Tensor], Tensor] = identity  # changes a batch for training by chance, stored x -> the same

    def __deepcopy__(self, memo: dict[int, object]) -> "Task":
        """Itself, since it never changes: a copy of a learner shares its data."""
        return self

    def batch(self, index: Int64[Tensor, " batch"]) -> tuple[Tensor, Tensor]:
        """Network inputs and answers of some training examples, augmented."""
        return self.transform(self.augment(self.train.x[index])), self.train.y[index]


def prepared(task: Task) -> Task:
    """The task with its transform done once for all, unless training changes what is stored."""
    if task.augment is not identity:
        return task
    train, test = (Split(task.transform(half.x), half.y) for half in (task.train, task.test))
    return replace(task, train=train, test=test, transform=identity)


def standardized(task: Task) -> Task:
    """The task with its inputs scaled to mean 0 and standard deviation 1, all pixels of its training half together.

    For every permutation anew: the same numbers, but added in another order, have a mean that differs in its last bit.
    """
    inputs = torch.cat([task.transform(x) for x in task.train.x.split(10_000)])
    mean, std = inputs.mean(), inputs.std()
    return replace(task, transform=lambda x: (task.transform(x) - mean) / std)


def one_softmax(tasks: Sequence[Task]) -> list[Task]:
    """CL3 for a learner with a single network: a task's head is all classes so far, and labels count through them.

    Each task must have outputs of its own, behind those of the tasks before it.

    Raises:
        SizeError: a task has no head, or shares it.
    """
    grown: list[Task] = []
    for task in tasks:
        first = grown[-1].head.stop if grown and grown[-1].head else 0
        if task.head is None or task.head.start != first:
            raise SizeError(f"One softmax over all tasks needs heads side by side; {task.name!r} has {task.head}.")
        train, test = (Split(half.x, half.y + first) for half in (task.train, task.test))
        grown.append(replace(task, train=train, test=test, head=slice(0, task.head.stop)))
    return grown


def merged(tasks: Sequence[Task]) -> Task:
    """All classes of all tasks at once, labels counted through; inputs are made as in the first task."""

    def joined(halves: Sequence[Split]) -> Split:
        """One half of the data of all tasks."""
        return Split(torch.cat([half.x for half in halves]), torch.cat([half.y for half in halves]))

    parts = one_softmax(tasks)
    halves = joined([part.train for part in parts]), joined([part.test for part in parts])
    return Task("all classes", *halves, transform=tasks[0].transform)


# -- polynomials (Appendix C, Eqs. 7-9) ---------------------------------------------------------------------------

POLYNOMIALS: list[tuple[Callable[[Tensor], Tensor], tuple[float, float]]] = [
    (lambda x: x + 3, (-4.0, -2.0)),
    (lambda x: 2 * x**2 - 1, (-1.0, 1.0)),
    (lambda x: (x - 3) ** 3, (2.0, 4.0)),
]


def polynomials(seed: int = 0, num_samples: int = 100, sigma: float = 0.05) -> list[Task]:
    """The toy regression of Fig. 2 (Eqs. 7-9): three polynomials on disjoint intervals, noisy samples for training.

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
    border = (0, 0) * (images.train_images.ndim - 3) + (padding,) * 4  # of height and width, not of colours
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
        """The samples of `classes` classes from the first on."""
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


# -- pictures in colour -------------------------------------------------------------------------------------------

CHANNEL_MEAN = (0.485, 0.456, 0.406)  # of ImageNet, red, green and blue; what the paper's code takes for CIFAR
CHANNEL_STD = (0.229, 0.224, 0.225)


def channels_first(x: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, "batch 3 height width"]:
    """Bytes to [0, 1]; colours become the second index, but still lie together in memory, as convolutions like it."""
    return scale_pixels(x).permute(0, 3, 1, 2)


def colours(x: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, "batch 3 height width"]:
    """The same, with ImageNet's mean subtracted from each colour and divided by its standard deviation."""
    mean, std = channel_statistics(x.device)
    return (channels_first(x) - mean) / std


@cache
def channel_statistics(device: torch.device) -> Float[Tensor, "2 3 1 1"]:
    """Mean and standard deviation of each colour, sent to a device once: sending makes a GPU wait."""
    return torch.tensor([CHANNEL_MEAN, CHANNEL_STD], device=device)[..., None, None]


def crop_and_flip(x: UInt8[Tensor, "batch height width 3"], padding: int = 4) -> UInt8[Tensor, "batch height width 3"]:
    """Each picture moved by at most `padding` pixels each way, black coming in; half of them mirrored.

    PyTorch's random numbers of the pictures' device decide. A checkpoint keeps their state.
    """
    n, height, width, _ = x.shape
    padded = F.pad(x, (0, 0, *(padding,) * 4))
    top, left = torch.randint(2 * padding + 1, (2, n, 1), device=x.device)
    rows, columns = (torch.arange(size, device=x.device) for size in (height, width))
    mirrored = torch.rand(n, 1, device=x.device) < 0.5
    columns = torch.where(mirrored, width - 1 - columns, columns)
    which = torch.arange(n, device=x.device)[:, None, None]
    return padded[which, (rows + top)[:, :, None], (columns + left)[:, None, :]]


def split_colours(
    sets: Sequence[Images], num_tasks: int = 6, classes: int = 10, augment: bool = True, normalize: bool = True
) -> list[Task]:
    """Split CIFAR-10/100: all of CIFAR-10, then CIFAR-100, `classes` at a time (Sect. 3); CL1, a head for each task.

    Args:
        sets: data sets in colour, in this order.
        augment: whether training moves and mirrors pictures.
        normalize: whether `colours` makes the inputs, or `channels_first` alone.

    Raises:
        SizeError: the data sets do not have so many tasks, or cannot be dealt out evenly.
    """
    pieces = [(images.name, task) for images in sets for task in split(images, classes)]
    if num_tasks > len(pieces):
        raise SizeError(f"{' and '.join(images.name for images in sets)} make {len(pieces)} tasks, not {num_tasks}.")
    return [
        replace(
            task,
            name=f"{name}, {task.name}",
            head=Scenario.CL1.head(t, classes),
            transform=colours if normalize else channels_first,
            augment=crop_and_flip if augment else identity,
        )
        for t, (name, task) in enumerate(pieces[:num_tasks])
    ]
