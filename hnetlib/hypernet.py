"""The task-conditioned hypernetwork: task embedding (+ chunk embedding) -> all weights of the target (Sect. 2)."""

import itertools
from collections.abc import Callable, Sequence
from math import ceil

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from hnetlib.errors import SizeError, learned
from hnetlib.initialization import xavier_


class Body(nn.Module):
    """All of the hypernetwork but its last layer: embeddings -> features, one row per task and chunk."""

    def __init__(
        self,
        task_dim: int,
        num_chunks: int,
        chunk_dim: int,
        hidden: Sequence[int],
        activation: Callable[[], nn.Module],
    ):
        super().__init__()
        self.chunk_embeddings = nn.Parameter(torch.randn(num_chunks, chunk_dim))
        sizes = [task_dim + chunk_dim, *hidden]
        self.layers = nn.Sequential()
        for inputs, outputs in itertools.pairwise(sizes):
            self.layers.extend([nn.Linear(inputs, outputs), activation()])
        self.num_features = sizes[-1]

    def forward(
        self, task_embeddings: Float[Tensor, "rows task_dim"], chunk: Int64[Tensor, " rows"] | None = None
    ) -> Float[Tensor, "rows *chunks features"]:
        """Features of every chunk for each task embedding, or of one chunk each, if `chunk` says which.

        The first layer is a sum of a part for e and a part for c. Each is computed once, not once a pair.
        """
        if chunk is None:
            e, c = task_embeddings[:, None], self.chunk_embeddings[:]
        else:
            e, c = task_embeddings, self.chunk_embeddings[chunk]
        if not len(self.layers):
            shape = torch.broadcast_shapes(e.shape[:-1], c.shape[:-1])
            return torch.cat([e.expand(*shape, -1), c.expand(*shape, -1)], dim=-1)
        first, rest = self.layers[0], self.layers[1:]
        assert isinstance(first, nn.Linear)
        for_task, for_chunk = first.weight.split([e.shape[-1], c.shape[-1]], dim=1)
        return rest(e @ for_task.T + F.linear(c, for_chunk, first.bias))


class HyperNetwork(nn.Module):
    """f_h(e, Θ_h): generates the weights Θ_trgt of a target network, a chunk at a time (Sect. 2.2).

    A *full* hypernetwork, which makes all weights in one go, is the chunked one with a single chunk and an empty
    chunk embedding: leave `chunk_size` and `chunk_dim` out. With chunks it can still come as close as one likes to
    whatever a full one can make (Proposition 1, Eqs. 10-15). Matrices start Xavier-uniform, biases at 0,
    embeddings N(0, 1), as in the paper's code; `hnetlib.initialization` has alternatives.

    Args:
        num_weights: length of the generated vector, `target.num_weights`.
        task_dim: length of a task embedding e.
        hidden: sizes of the hidden layers; empty for a linear hypernetwork.
        chunk_size: how many weights are made at a time, N_C = ceil(num_weights / chunk_size) chunks in all. The
            last chunk is cut to fit. None: all in one chunk.
        chunk_dim: length of a chunk embedding c.
        activation: makes the nonlinearity behind each hidden layer.

    Raises:
        SizeError: a size is not positive, or there are several chunks but no chunk embedding to tell them apart.
    """

    def __init__(
        self,
        num_weights: int,
        task_dim: int,
        hidden: Sequence[int] = (),
        chunk_size: int | None = None,
        chunk_dim: int = 0,
        activation: Callable[[], nn.Module] = nn.ELU,
    ):
        super().__init__()
        self.num_weights, self.task_dim = num_weights, task_dim
        self.chunk_size = num_weights if chunk_size is None else chunk_size
        if min(num_weights, task_dim, self.chunk_size, *hidden) < 1 or chunk_dim < 0:
            raise SizeError(
                f"Every size of a hypernetwork must be at least 1, but got num_weights={num_weights}, "
                f"task_dim={task_dim}, hidden={tuple(hidden)}, chunk_size={chunk_size}, chunk_dim={chunk_dim}."
            )
        self.num_chunks = ceil(num_weights / self.chunk_size)
        if self.num_chunks > 1 and chunk_dim == 0:
            raise SizeError(
                f"{self.num_chunks} chunks without chunk embeddings would all get the same weights. "
                "Give chunk_dim, the length of a chunk embedding."
            )
        self.body = Body(task_dim, self.num_chunks, chunk_dim, hidden, activation)
        self.last = nn.Linear(self.body.num_features, self.chunk_size)
        self.task_embeddings = nn.ParameterList()
        xavier_(self)

    def forward(self, embedding: Float[Tensor, "*tasks task_dim"]) -> Float[Tensor, "*tasks weights"]:
        """Generate Θ_trgt for one task embedding, or for a stack of them.

        Raises:
            SizeError: the embedding's length is not `task_dim`.
        """
        if embedding.shape[-1] != self.task_dim:
            raise SizeError(
                f"This hypernetwork takes task embeddings of length {self.task_dim}, "
                f"but one of length {embedding.shape[-1]} was given."
            )
        chunks = self.last(self.body(embedding.reshape(-1, self.task_dim)))
        # split, not a slice: its gradient is written once where a slice's is first filled with zeros.
        beyond = self.num_chunks * self.chunk_size - self.num_weights
        weights, _ = chunks.flatten(1).split([self.num_weights, beyond], dim=1)
        return weights.view(*embedding.shape[:-1], self.num_weights)

    @property
    def num_tasks(self) -> int:
        """How many tasks have an embedding."""
        return len(self.task_embeddings)

    def add_task(self) -> int:
        """Append a new task embedding, drawn from N(0, 1); returns its index."""
        self.task_embeddings.append(nn.Parameter(torch.randn(self.task_dim).to(self.last.weight)))
        return self.num_tasks - 1

    def embedding(self, task: int) -> Float[Tensor, " task_dim"]:
        """The embedding e of a task, counted from 0.

        Raises:
            UnknownTaskError: no such task has been added.
        """
        return self.task_embeddings[learned(task, self.num_tasks, "hypernetwork")]

    def theta(self) -> dict[str, nn.Parameter]:
        """Θ_h by name: all weights but the task embeddings (chunk embeddings are among them)."""
        return {name: p for name, p in self.named_parameters() if not name.startswith("task_embeddings.")}

    def num_parameters(self, num_tasks: int | None = None) -> int:
        """|Θ_h ∪ {e}|: all weights, with the embeddings of `num_tasks` tasks (None: those there are)."""
        tasks = self.num_tasks if num_tasks is None else num_tasks
        return sum(p.numel() for p in self.theta().values()) + tasks * self.task_dim

    def compression_ratio(self, num_tasks: int | None = None) -> float:
        """|Θ_h ∪ {e}| / |Θ_trgt|, the horizontal axis of Fig. 3b; below 1 the hypernetwork is the smaller one."""
        return self.num_parameters(num_tasks) / self.num_weights
