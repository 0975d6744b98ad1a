"""HNET+TIR: a protected network answers, and a classifier that is trained on replay tells it which task it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from hnetlib.baselines.rehearsal import Rehearsal
from hnetlib.checkpoint import all_or_nothing
from hnetlib.inference import Answers, accuracy_unaided
from hnetlib.learner import HyperNetLearner
from hnetlib.target import of_head
from hnetlib.tasks import Scenario, Split, Task


@dataclass
class TaskClassifier(Rehearsal):
    """α(x) of Eq. 6: a softmax over the tasks so far, trained on the new one and on replayed samples of the others.

    It learns with hard targets: a sample that the generator made for task t belongs to task t. With the first task
    there is nothing to tell apart yet.

    Args:
        own_word: a sample belongs to the task that the classifier itself took it for before the new task: the largest
            of its soft targets (a sentence in Appendix C).
    """

    scenario: Scenario = Scenario.CL3
    own_word: bool = False

    def fit(self, task: Task) -> None:
        """Train, from the second task on."""
        if self.heads:
            super().fit(task)

    def replay(self, task: Task) -> Callable[[], Tensor]:
        """The loss of a new batch of the past at every call: which task is each sample made for?"""
        if self.own_word:
            return super().replay(task)
        draw, each = self.memory.recall(), ceil(self.training.batch_size / len(self.heads))

        def past() -> Tensor:
            """What the classifier says of new samples of every earlier task."""
            x = draw(each)
            made_for = torch.arange(len(x), device=x.device).repeat_interleave(each)
            return F.cross_entropy(of_head(self.module(x.flatten(0, 1)), task.head), made_for)

        return past

    def compare(
        self, says: Float[Tensor, "tasks samples now"], said: Float[Tensor, "tasks samples then"]
    ) -> Float[Tensor, ""]:
        """Cross-entropy with what the classifier itself said before."""
        return F.cross_entropy(says.flatten(0, 1), said.flatten(0, 1).argmax(dim=1))


def which_task(task: Task, index: int) -> Task:
    """The task of telling that these data belong to task `index`, and not to an earlier one."""

    def labelled(half: Split) -> Split:
        """The same inputs; the task is the answer."""
        return replace(half, y=torch.full_like(half.y, index))

    return replace(
        task,
        train=labelled(task.train),
        test=labelled(task.test),
        head=slice(0, index + 1),
        loss=F.cross_entropy,
    )


@dataclass
class TaskInference:
    """HNET+TIR: a learner whose task is inferred where it is not given.

    Args:
        learner: answers once the task is known.
        classifier: says which task it is; it has the replay model.
    """

    learner: HyperNetLearner
    classifier: TaskClassifier

    def learn(self, task: Task) -> None:
        """Learn to answer, then to tell the task from the others, then to replay it.

        If that does not end well (Ctrl-C, too), all is put back as it was.

        Raises:
            DivergedError: the loss became NaN or infinite.
        """
        with all_or_nothing(self.learner):
            self.learner.learn(task)
            self.classifier.learn(which_task(task, self.learner.hnet.num_tasks - 1))

    def infer(self, x: Tensor) -> Int64[Tensor, " batch"]:
        """The most probable task of each input."""
        return self.classifier.predict(x).argmax(dim=-1)

    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        """Outputs of a task's head; None: of the task that is inferred for each input.

        Raises:
            UnknownTaskError: a task that was never learned.
        """
        return self.learner.predict(x, task) if task is not None else self.within(x, self.infer(x))

    def within(self, x: Tensor, tasks: Int64[Tensor, " batch"]) -> Tensor:
        """Outputs of another task's head for each input."""
        found = tasks.unique().tolist()
        parts = {task: self.learner.predict(x[tasks == task], task) for task in found}
        outputs = parts[found[0]].new_empty(len(x), parts[found[0]].shape[-1])
        for task, part in parts.items():
            outputs[tasks == task] = part
        return outputs

    def state_dict(self) -> dict[str, Any]:
        """Both of them."""
        return {"learner": self.learner.state_dict(), "classifier": self.classifier.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the place of the learner that gave this state."""
        self.learner.load_state_dict(state_dict["learner"])
        self.classifier.load_state_dict(state_dict["classifier"])


@torch.no_grad()
def accuracy_by_classifier(
    learner: TaskInference, tasks: Sequence[Task], scenario: Scenario
) -> tuple[list[float], list[float]]:
    """Test accuracy on each task in percent with the task inferred, and how often the right task was inferred.

    In CL3 an answer is right if task and class are; in CL2 the class is enough.
    """

    def ask(x: Tensor) -> Answers:
        """The task that is inferred, and the class in its head."""
        which = learner.infer(x)
        return which, learner.within(x, which).argmax(dim=1)

    return accuracy_unaided(ask, tasks, scenario)
