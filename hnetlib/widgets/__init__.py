"""Pictures that can be moved, and quizzes: alive in notebooks, and on a page with no kernel behind it."""

from hnetlib.widgets.chunks import ChunkExplorer
from hnetlib.widgets.embedding import EmbeddingExplorer
from hnetlib.widgets.forgetting import ForgettingPlayer
from hnetlib.widgets.quiz import Quiz

__all__ = ["ChunkExplorer", "EmbeddingExplorer", "ForgettingPlayer", "Quiz"]
