"""Methods to compare with, each a `Learner`."""

from hnetlib.baselines.ewc import EWC
from hnetlib.baselines.finetuning import FineTuning
from hnetlib.baselines.si import SI

__all__ = ["EWC", "SI", "FineTuning"]
