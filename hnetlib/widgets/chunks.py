"""Which chunk makes which weights, and how large the hypernetwork is for it."""

from collections.abc import Sequence

import anywidget
import traitlets

from hnetlib.errors import SizeError
from hnetlib.target import TargetNetwork
from hnetlib.widgets.script import script


class ChunkExplorer(anywidget.AnyWidget):
    """A slider for the chunk size, the weights of a target network coloured by chunk, and the compression ratio.

    Args:
        target: the target network; its matrices are drawn as they are (small ones show best).
        task_dim, chunk_dim: lengths of the embeddings.
        hidden: sizes of the hypernetwork's hidden layers.
        num_tasks: how many task embeddings are counted.
        chunk_size: where the slider starts.

    Raises:
        SizeError: the chunk size is not between 1 and the number of the target's weights.
    """

    _esm = script("chunks.js")
    shapes: traitlets.List = traitlets.List().tag(sync=True)  # name and shape of each of the target's tensors, in order
    num_weights = traitlets.Int().tag(sync=True)
    task_dim = traitlets.Int().tag(sync=True)
    chunk_dim = traitlets.Int().tag(sync=True)
    hidden: traitlets.List = traitlets.List().tag(sync=True)
    num_tasks = traitlets.Int().tag(sync=True)
    chunk_size = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        target: TargetNetwork,
        task_dim: int,
        chunk_dim: int,
        hidden: Sequence[int],
        num_tasks: int,
        chunk_size: int,
    ):
        if not 1 <= chunk_size <= target.num_weights:
            raise SizeError(f"chunk_size must be between 1 and {target.num_weights:,}, but got {chunk_size}.")
        super().__init__(
            shapes=[[name, list(shape)] for name, shape in target.shapes.items()],
            num_weights=target.num_weights,
            task_dim=task_dim,
            chunk_dim=chunk_dim,
            hidden=list(hidden),
            num_tasks=num_tasks,
            chunk_size=chunk_size,
        )
