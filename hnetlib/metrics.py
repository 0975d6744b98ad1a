"""The T x T accuracy matrix and what follows from it; tasks count from 0."""

import copy
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from hnetlib.checkpoint import Checkpoint, Stateful, random_state, set_random_state
from hnetlib.errors import CheckpointError, SizeError
from hnetlib.learner import EVALUATION_BATCH, Learner, Training, test_accuracy
from hnetlib.tasks import Task

Matrix = Float[Tensor, "tasks tasks"]


def accuracy(learner: Learner, task: Task, index: int | None) -> float:
    """Test accuracy on a task in percent. None: the learner is not told which task it is."""
    return test_accuracy(lambda x: learner.predict(x, index), task)


def accuracy_among_all(learner: Learner, task: Task, index: int) -> float:
    """The same in CL3 (`one_softmax`): an answer counts among all classes so far, whichever task it is."""
    return accuracy(learner, task, None)


@torch.no_grad()
def mean_squared_error(learner: Learner, task: Task, index: int) -> float:
    """Test error on a regression task, in the units of y squared."""
    batches = task.test.x.split(EVALUATION_BATCH)
    return F.mse_loss(torch.cat([learner.predict(task.transform(x), index) for x in batches]), task.test.y).item()


def learn_all(
    learner: Learner,
    tasks: Sequence[Task],
    measure: Callable[[Learner, Task, int], float] = accuracy,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[int, Matrix], None] = lambda done, matrix: None,
    every: int = 1,
) -> Matrix:
    """Learn the tasks in order. Row i of the result is measured after task i, column j on task j; NaN for j > i.

    Args:
        measure: what is measured on a task.
        checkpoint: go on from this file where it exists, and keep it up to date.
        progress: called after each task with the number of tasks learned and the matrix so far.
        every: all tasks learned so far are measured after every so many tasks, and after the last. After the others
            only the new one is, and the rest of their row is NaN: testing T tasks T times is most of the time when
            T is large and training short. Forgetting then knows fewer accuracies to lose.

    Raises:
        SizeError: `every` is not positive.
        TypeError: a checkpoint is given, but the learner has no state to save.
        CheckpointError: the checkpoint is of another number of tasks.
    """
    if every < 1:
        raise SizeError(f"`every` must be at least 1, but got {every}.")
    if checkpoint and not isinstance(learner, Stateful):
        raise TypeError(f"A checkpoint needs a learner with state_dict and load_state_dict; {learner!r} lacks them.")
    matrix = torch.full((len(tasks), len(tasks)), torch.nan, dtype=torch.float64)
    with checkpoint or nullcontext():
        so_far = checkpoint.restore(learner) if checkpoint else {}  # type: ignore[arg-type]
        if so_far and so_far["rows"].shape[1] != len(tasks):
            raise CheckpointError(f"The checkpoint is of {so_far['rows'].shape[1]} tasks, not of {len(tasks)}.")
        if so_far:
            matrix[: so_far["done"]] = so_far["rows"]
        for i in range(so_far.get("done", 0), len(tasks)):
            learner.learn(tasks[i])
            whole = (i + 1) % every == 0 or i + 1 == len(tasks)
            for j in range(0 if whole else i, i + 1):
                matrix[i, j] = measure(learner, tasks[j], j)
            if checkpoint:
                checkpoint.task_done(learner, done=i + 1, rows=matrix[: i + 1])  # type: ignore[arg-type]
            progress(i + 1, matrix)
    return matrix


class Trainable(Learner, Protocol):
    """A learner that says how it is trained."""

    training: Training


def watched(learner: Trainable, tasks: Sequence[Task], moments: Sequence[int]) -> Float[Tensor, "tasks moments tasks"]:
    """Learn the tasks in order and measure on the way: after so many steps of each task, on every task so far.

    Entry [i, m, j] is the accuracy on task j after `moments[m]` steps on task i, in percent; NaN for j > i. The last
    moment is the whole training. A method does not know that it is watched: up to each moment it learns from where
    the last task ended, with the same random numbers (and a learning rate that does not fall). The learner
    itself is left as it was.
    """
    history = torch.full((len(tasks), len(moments), len(tasks)), torch.nan, dtype=torch.float64)
    for i, task in enumerate(tasks):
        before, state = learner, random_state()
        for m, steps in enumerate(moments):
            set_random_state(state)
            learner = copy.deepcopy(before)
            learner.training = replace(before.training, iterations=steps)
            learner.learn(task)
            for j in range(i + 1):
                history[i, m, j] = accuracy(learner, tasks[j], j)
    return history


def during(matrix: Matrix) -> float:
    """Mean over tasks of the accuracy right after learning each (the paper's "during")."""
    return matrix.diagonal().mean().item()


def final(matrix: Matrix) -> float:
    """Mean over tasks of the accuracy after learning all of them (the paper's "final")."""
    return matrix[-1].mean().item()


def forgetting(matrix: Matrix) -> float:
    """Mean over all tasks but the last of (best accuracy before the end - final accuracy) [chaudhry2018].

    0 for a single task; negative where the last task improved earlier ones. Only measured accuracies count.
    """
    if len(matrix) == 1:
        return 0.0
    best = matrix[:-1, :-1].nan_to_num(-torch.inf).amax(dim=0)
    return (best - matrix[-1, :-1]).mean().item()


def backward_transfer(matrix: Matrix) -> float:
    """Mean over all tasks but the last of (final accuracy - accuracy right after learning) [lopezpaz2017]."""
    if len(matrix) == 1:
        return 0.0
    return (matrix[-1] - matrix.diagonal())[:-1].mean().item()


def forward_transfer(matrix: Matrix, from_scratch: Float[Tensor, " tasks"]) -> float:
    """Mean over all tasks but the first of (accuracy right after learning - accuracy of a network of its own).

    Args:
        from_scratch: accuracy on each task of a network that was trained on this task alone.
    """
    if len(matrix) == 1:
        return 0.0
    return (matrix.diagonal() - from_scratch)[1:].mean().item()


def as_rows(matrix: Float[Tensor, "rows tasks"], digits: int = 4) -> list[list[float | None]]:
    """A matrix as JSON: lists of rounded numbers, with null where nothing was measured."""
    return [[None if value != value else round(value, digits) for value in row] for row in matrix.tolist()]
