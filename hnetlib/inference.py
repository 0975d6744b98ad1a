"""Which task is this? The one whose network is most certain: lowest entropy (HNET+ENT, Sect. 2.3)."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.func import functional_call, vmap

from hnetlib.learner import EVALUATION_BATCH, HyperNetLearner, Learner
from hnetlib.target import of_head
from hnetlib.tasks import Scenario, Task

Outputs = Float[Tensor, "tasks batch classes"]
Answers = tuple[Int64[Tensor, " batch"], Int64[Tensor, " batch"]]  # task and class of each input
MOST = 100_000_000  # numbers, 400 MB: weights of all tasks together that are kept for a batched pass


def entropy(outputs: Float[Tensor, "*batch classes"]) -> Float[Tensor, " *batch"]:
    """Entropy, in nats, of the predictive distribution softmax(outputs)."""
    log_p = outputs.log_softmax(dim=-1)
    return -(log_p.exp() * log_p).sum(dim=-1)


def one_by_one(learner: Learner, num_tasks: int, x: Tensor) -> Outputs:
    """What each task's head says: a loop, for any learner."""
    return torch.stack([learner.predict(x, task) for task in range(num_tasks)])


class AllNetworks:
    """The target networks of a hypernetwork's tasks: generated once, evaluated in one batched pass.

    The same numbers as `one_by_one`, but for rounding. Holds tasks × weights numbers: 85 MB for ten tasks of permuted
    MNIST.

    Args:
        num_tasks: of the first so many tasks.

    Raises:
        UnknownTaskError: not so many were learned.
    """

    @torch.no_grad()
    def __init__(self, learner: HyperNetLearner, num_tasks: int):
        self.target, self.heads = learner.target, learner.heads[:num_tasks]
        self.state, own = learner.weights_of(range(num_tasks)), [learner.buffers_of(t) for t in range(num_tasks)]
        self.state |= {name: torch.stack([buffers[name] for buffers in own]) for name in own[0]}

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Outputs:
        """What each task's head says of the same inputs."""
        module = self.target.module.eval()
        outputs = vmap(lambda state: functional_call(module, state, (x,)))(self.state)
        return torch.stack([of_head(some, head) for some, head in zip(outputs, self.heads, strict=True)])


def networks(learner: Learner, num_tasks: int) -> Callable[[Tensor], Outputs]:
    """Inputs -> what each task's head says of them. Batched for a hypernetwork, if the weights of all tasks fit."""
    if isinstance(learner, HyperNetLearner) and num_tasks * learner.target.num_weights <= MOST:
        return AllNetworks(learner, num_tasks)
    return partial(one_by_one, learner, num_tasks)


def infer(outputs: Outputs) -> Answers:
    """For each input: the task whose output has the lowest entropy, and the class predicted in its head."""
    task = entropy(outputs).argmin(dim=0)
    return task, outputs.argmax(dim=-1).gather(0, task[None])[0]


def accuracy_by_entropy(learner: Learner, tasks: Sequence[Task], scenario: Scenario) -> tuple[list[float], list[float]]:
    """Test accuracy on each task in percent with the task inferred, and how often the right task was inferred.

    In CL3 an answer is right if task and class are; in CL2 the class is enough.
    """
    outputs = networks(learner, len(tasks))
    return accuracy_unaided(lambda x: infer(outputs(x)), tasks, scenario)


def accuracy_unaided(
    ask: Callable[[Tensor], Answers], tasks: Sequence[Task], scenario: Scenario
) -> tuple[list[float], list[float]]:
    """The same of anything that says, for inputs, which tasks and which classes they are."""
    answers, found = [], []
    for t, task in enumerate(tasks):
        parts = [ask(task.transform(x)) for x in task.test.x.split(EVALUATION_BATCH)]
        right_task = torch.cat([which for which, _ in parts]) == t
        right = torch.cat([label for _, label in parts]) == task.test.y
        answers.append(right if scenario is Scenario.CL2 else right & right_task)
        found.append(right_task)
    return [a.double().mean().item() * 100 for a in answers], [f.double().mean().item() * 100 for f in found]
