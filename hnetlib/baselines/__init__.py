"""Methods to compare with, each a `Learner`."""

from hnetlib.baselines.bounds import FromScratch, Joint
from hnetlib.baselines.dgr import Autoencoder, ReplayedVAE
from hnetlib.baselines.ewc import EWC
from hnetlib.baselines.finetuning import FineTuning
from hnetlib.baselines.hat import HAT
from hnetlib.baselines.rehearsal import OldData, Rehearsal
from hnetlib.baselines.si import SI

__all__ = [
    "EWC",
    "HAT",
    "SI",
    "Autoencoder",
    "FineTuning",
    "FromScratch",
    "Joint",
    "OldData",
    "Rehearsal",
    "ReplayedVAE",
]
