"""Learning rates that fall while a task is learned."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor, optim


class Rate:
    """The learning rate of each epoch: step decay, and a reduction where test accuracy no longer rises.

    Both are those of the Keras example that the paper follows (Appendix C). The second one looks at the test half: it
    is there to find out what that does. Where neither is asked for, optimizers are left alone.

    Args:
        optimizers: whose rates these are.
        first: the learning rate at the start of a task.
        decay: pairs (share of the task's epochs, factor); in an epoch with more than that share behind it, the rate is
            `first` times the last such pair's factor.
        plateau: divide by √10 after 6 epochs in a row without a new best accuracy, down to 0.5e-6.
    """

    PATIENCE, FACTOR, FLOOR = 5, math.sqrt(0.1), 0.5e-6

    def __init__(
        self,
        optimizers: Iterable[optim.Optimizer],
        first: float,
        decay: Sequence[tuple[float, float]] = (),
        plateau: bool = False,
    ):
        self.optimizers, self.first, self.decay, self.plateau = list(optimizers), first, decay, plateau
        self.reduced, self.best, self.waited = 1.0, -math.inf, 0

    def at(self, share: float) -> float:
        """The learning rate of an epoch that has this share of all epochs behind it."""
        factor = ([1.0] + [factor for start, factor in self.decay if share > start])[-1]
        rate = self.first * factor * self.reduced
        return max(rate, self.FLOOR) if self.reduced < 1 else rate

    def begin(self, epoch: int, epochs: float) -> None:
        """Set the optimizers for an epoch, counted from 0, of so many."""
        if self.decay or self.plateau:
            rate = self.at(epoch / epochs)
            for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
                if isinstance(group["lr"], Tensor):  # see `hnetlib.learner.adjustable`
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate

    def measured(self, accuracy: float) -> None:
        """An epoch is over, and this is the accuracy now."""
        if accuracy > self.best:
            self.best, self.waited = accuracy, 0
            return
        self.waited += 1
        if self.waited > self.PATIENCE:
            self.reduced, self.waited = self.reduced * self.FACTOR, 0

    def state_dict(self) -> dict[str, Any]:
        """What it has seen."""
        return {"reduced": self.reduced, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.__dict__.update(state_dict)
