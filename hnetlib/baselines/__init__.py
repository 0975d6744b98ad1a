"""Methods to compare with, each a `Learner`."""

from hnetlib.baselines.finetuning import FineTuning

__all__ = ["FineTuning"]
