"""A hundred small operations take a GPU less time than their launches; a CUDA graph of them is launched once."""

from collections.abc import Callable

import torch
from torch import Tensor

from hnetlib.errors import RecordingError

AS_WRITTEN = 3  # steps before the recording: libraries choose their algorithms, optimizers make their state


class Recorded:
    """A training step that is recorded as a CUDA graph and then replayed: the same operations on the same memory.

    The first few calls run the step as it is written. What it does outside of the GPU happens in these alone. So it
    must keep all its state in tensors that it changes in place, and must not look at a number.

    Args:
        step: from the indices of a minibatch, always as many, to the loss.

    Raises:
        RecordingError: when it is called, if the step looks at a number or copies something to the GPU.
    """

    def __init__(self, step: Callable[[Tensor], Tensor]):
        self.step, self.calls, self.stream = step, 0, torch.cuda.Stream()

    def __call__(self, index: Tensor) -> Tensor:
        """The loss; the next call overwrites it."""
        self.calls += 1
        if self.calls <= AS_WRITTEN:
            return self.aside(index)
        if self.calls == AS_WRITTEN + 1:
            self.record(index)
        self.index.copy_(index)
        self.graph.replay()
        return self.loss

    def aside(self, index: Tensor) -> Tensor:
        """The step as it is written, on the stream that is recorded later, as autograd wants it."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            loss = self.step(index)
        torch.cuda.current_stream().wait_stream(self.stream)
        return loss

    def record(self, index: Tensor) -> None:
        """Note the operations of a step, without doing them."""
        self.index, self.graph = index.clone(), torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(self.graph, stream=self.stream):
                self.loss = self.step(self.index)
        except RuntimeError as error:
            raise RecordingError(
                "This training step cannot be recorded as a CUDA graph: it looks at a number, or copies something to "
                f"the GPU ({error}). Change that, or give Training(recorded=False)."
            ) from error
