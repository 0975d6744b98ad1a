"""Methods to compare with, each a `Learner`."""

from hnetlib.baselines.bounds import Anew, FromScratch, Joint
from hnetlib.baselines.ewc import EWC
from hnetlib.baselines.finetuning import FineTuning
from hnetlib.baselines.hat import HAT
from hnetlib.baselines.si import SI

__all__ = ["EWC", "HAT", "SI", "Anew", "FineTuning", "FromScratch", "Joint"]
