"""Replay that a hypernetwork protects: HNET+R, HNET+TIR (Appendices B, C and F)."""

from hnetlib.replay.gallery import Gallery
from hnetlib.replay.generators import ProtectedGAN, ProtectedVAE
from hnetlib.replay.inference import TaskClassifier, TaskInference, accuracy_by_classifier

__all__ = ["Gallery", "ProtectedGAN", "ProtectedVAE", "TaskClassifier", "TaskInference", "accuracy_by_classifier"]
