"""Which task is this? The one whose network is most certain: lowest entropy (HNET+ENT, Sect. 2.3)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hnetlib.learner import Learner
from hnetlib.tasks import Scenario, Task


def entropy(outputs: Float[Tensor, "*batch classes"]) -> Float[Tensor, " *batch"]:
    """Entropy, in nats, of the predictive distribution softmax(outputs)."""
    log_p = outputs.log_softmax(dim=-1)
    return -(log_p.exp() * log_p).sum(dim=-1)


@torch.no_grad()
def infer(learner: Learner, x: Tensor, num_tasks: int) -> tuple[Int64[Tensor, " batch"], Int64[Tensor, " batch"]]:
    """For each input: the task whose output has the lowest entropy, and the class predicted in its head."""
    outputs = [learner.predict(x, task) for task in range(num_tasks)]
    task = torch.stack([entropy(o) for o in outputs]).argmin(dim=0)
    classes = torch.stack([o.argmax(dim=1) for o in outputs])
    return task, classes.gather(0, task[None])[0]


def accuracy_by_entropy(
    learner: Learner, tasks: Sequence[Task], scenario: Scenario, batch: int = 2000
) -> tuple[list[float], list[float]]:
    """Test accuracy on each task in percent with the task inferred, and how often the right task was inferred.

    In CL3 an answer is right if task and class are; in CL2 the class is enough.
    """
    answers, found = [], []
    for t, task in enumerate(tasks):
        parts = [infer(learner, task.transform(x), len(tasks)) for x in task.test.x.split(batch)]
        right_task = torch.cat([which for which, _ in parts]) == t
        right = torch.cat([label for _, label in parts]) == task.test.y
        answers.append(right if scenario is Scenario.CL2 else right & right_task)
        found.append(right_task)
    return [a.double().mean().item() * 100 for a in answers], [f.double().mean().item() * 100 for f in found]
