"""Two-dimensional task embeddings make a plane to walk in: which point solves which task (Fig. 4)?"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hnetlib.errors import SizeError
from hnetlib.learner import EVALUATION_BATCH, HyperNetLearner
from hnetlib.tasks import Task

POINTS_AT_ONCE = 64  # how many target networks are generated in one go


def grid(extent: float, points: int) -> Float[Tensor, "points points 2"]:
    """The points of a square, `points` a side: rows from -extent to extent in e_2, columns so in e_1."""
    side = torch.linspace(-extent, extent, points)
    second, first = torch.meshgrid(side, side, indexing="ij")
    return torch.stack([first, second], dim=-1)


@torch.no_grad()
def right_answers(
    learner: HyperNetLearner, task: Task, index: int, embeddings: Float[Tensor, "*points task_dim"]
) -> Int64[Tensor, "*points"]:
    """How many test samples of a task each embedding's target network gets right, in the head of task `index`.

    Raises:
        SizeError: the embeddings' length is not the hypernetwork's `task_dim`.
    """
    batches = [(task.transform(x), y) for x, y in task.test.batches(EVALUATION_BATCH)]
    head, buffers = learner.heads[index], learner.buffers_of(index)
    learner.target.module.eval()
    counts = []
    for some in embeddings.reshape(-1, embeddings.shape[-1]).split(POINTS_AT_ONCE):
        for weights in learner.hnet(some):
            hits = [(learner.target(weights, x, head, buffers).argmax(1) == y).sum() for x, y in batches]
            counts.append(torch.stack(hits).sum())
    return torch.stack(counts).view(embeddings.shape[:-1])


def landscape(
    learner: HyperNetLearner, task: Task, index: int, embeddings: Float[Tensor, "*points task_dim"]
) -> Float[Tensor, "*points"]:
    """Test accuracy on a task, in percent, of the target network that each embedding generates.

    Raises:
        SizeError: the embeddings' length is not the hypernetwork's `task_dim`.
    """
    return 100 * right_answers(learner, task, index, embeddings).double() / len(task.test)


def require_plane(learner: HyperNetLearner) -> None:
    """Say so where task embeddings are not points of a plane.

    Raises:
        SizeError: the task embeddings do not have two components.
    """
    if learner.hnet.task_dim != 2:
        raise SizeError(
            f"Only two-dimensional task embeddings fill a plane, but these have length {learner.hnet.task_dim}. "
            "Build the hypernetwork with task_dim=2."
        )
