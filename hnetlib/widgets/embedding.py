"""Walk in the plane of two-dimensional task embeddings, and see the network that is made there."""

from collections.abc import Sequence
from typing import Any

import anywidget
import torch
import traitlets
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from hnetlib import plots
from hnetlib.errors import SizeError
from hnetlib.learner import HyperNetLearner
from hnetlib.plane import landscape, require_plane
from hnetlib.tasks import Task, thinned
from hnetlib.widgets.script import script

RED = plots.PALETTE["hnet"]
MARGINS = (-0.3, 0.3, -0.8, 0.8)  # around the data of a regression: left, right, below, above


class EmbeddingExplorer(anywidget.AnyWidget):
    """A point to drag in the plane of embeddings. The hypernetwork runs in the browser, with its weights.

    Tasks of regression on one number: the generated function is drawn. Tasks with images as bytes, flattened and
    scaled to [0, 1]: the generated network classifies test images, and bars show how many it gets right.

    Args:
        learner: has learned the tasks; two-dimensional embeddings, and a target of `Linear` layers.
        tasks: what it has learned, in this order.
        extent: the plane goes from -extent to extent in both directions.
        landscapes: accuracies in percent over `plane.grid(extent, points)`, task by task, as background; None: none.
        samples: at most so many test samples of a task go to the browser.

    Raises:
        SizeError: the embeddings do not have two components, the target is no such network, or there is not one
            landscape for each task.
    """

    _esm = script("dom.js", "forward.js", "embedding.js")
    kind = traitlets.Enum(["regression", "classification"]).tag(sync=True)
    theta = traitlets.Bytes().tag(sync=True)  # float32: Θ_h in the order of HyperNetwork.theta()
    hypernet: traitlets.Dict = traitlets.Dict().tag(sync=True)  # its sizes, and its activation
    layers: traitlets.List = traitlets.List().tag(sync=True)  # sizes of the target
    activation = traitlets.Unicode().tag(sync=True)  # of the target
    embeddings: traitlets.List = traitlets.List().tag(sync=True)  # the learned ones
    tasks: traitlets.List = traitlets.List().tag(sync=True)  # name, head and number of samples of each
    inputs = traitlets.Bytes().tag(sync=True)  # of all tasks: float32, or bytes as stored
    answers = traitlets.Bytes().tag(sync=True)  # float32
    window: traitlets.List = traitlets.List().tag(sync=True)  # left, right, bottom, top of a regression's picture
    landscapes = traitlets.Bytes().tag(sync=True)  # half percents, a byte each
    points = traitlets.Int().tag(sync=True)  # of a landscape, a side; 0: there are none
    low = traitlets.Int(50).tag(sync=True)  # the accuracy at which colours start, in percent
    extent = traitlets.Float().tag(sync=True)
    embedding: traitlets.List = traitlets.List().tag(sync=True)  # where the point is
    shown = traitlets.Int().tag(sync=True)  # the task whose landscape is shown

    def __init__(
        self,
        learner: HyperNetLearner,
        tasks: Sequence[Task],
        extent: float = 3.0,
        landscapes: Float[Tensor, "tasks points points"] | None = None,
        samples: int = 100,
    ):
        require_plane(learner)
        if landscapes is not None and len(landscapes) != len(tasks):
            raise SizeError(f"There are {len(tasks)} tasks, but {len(landscapes)} landscapes. Give one for each task.")
        super().__init__(
            **described(learner),
            **examples(tasks, samples),
            landscapes=b"" if landscapes is None else as_bytes((landscapes * 2).round().to(torch.uint8)),
            points=0 if landscapes is None else landscapes.shape[-1],
            extent=extent,
        )
        self.embedding = self.embeddings[0]
        self.learner, self.sequence, self.background = learner, tasks, landscapes

    @torch.no_grad()
    def still(self) -> Figure:
        """The widget as a figure, for paper and for readers without JavaScript: the network at `embedding`."""
        figure, (plane, answer) = plots.panels(2, width=8.6, height=3.7)
        background = None if self.background is None else self.background[self.shown]
        title = "" if background is None else f"accuracy on task {self.shown + 1}"
        plots.landscape(plane, background, self.extent, torch.tensor(self.embeddings), title, self.low)
        plane.plot(*self.embedding, "o", markersize=18, fillstyle="none", color=RED, markeredgewidth=2.5)
        if self.kind == "regression":
            self.draw_function(answer)
        else:
            self.draw_bars(answer)
        answer.set_title(f"at e = ({self.embedding[0]:.2f}, {self.embedding[1]:.2f})")
        return figure

    def draw_function(self, ax: Axes) -> None:
        """The generated function, and the true ones."""
        left, right, bottom, top = self.window
        x = torch.linspace(left, right, 200)[:, None]
        ax.plot(x, self.learner.target(self.learner.hnet(torch.tensor(self.embedding)), x), color=RED)
        for task in self.sequence:
            ax.plot(task.test.x, task.test.y, "--", color="#4B5563", linewidth=1.2)
        ax.set(xlim=(left, right), ylim=(bottom, top), xlabel="x")

    def draw_bars(self, ax: Axes) -> None:
        """How many test samples of each task the generated network gets right."""
        here = torch.tensor(self.embedding)
        scores = [landscape(self.learner, task, t, here).item() for t, task in enumerate(self.sequence)]
        ax.barh([f"task {t + 1}" for t in range(len(scores))], scores, color=RED)
        ax.set(xlim=(0, 100), xlabel="accuracy (%)")
        ax.invert_yaxis()


def as_bytes(values: Tensor) -> bytes:
    """The numbers as they lie in memory."""
    return values.detach().cpu().contiguous().numpy().tobytes()


def described(learner: HyperNetLearner) -> dict[str, Any]:
    """The hypernetwork and its target, as the browser needs them.

    Raises:
        SizeError: the target is not made of fully connected layers alone.
    """
    hnet, module = learner.hnet, learner.target.module
    dense = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    known = sum(p.numel() for layer in dense for p in layer.parameters())
    if known != learner.target.num_weights or any(layer.bias is None for layer in dense):
        raise SizeError("The browser can only run targets of fully connected layers with biases, such as an MLP.")
    first = next(iter(hnet.body.layers), None)
    hidden = [layer.out_features for layer in hnet.body.layers if isinstance(layer, nn.Linear)]
    sizes = {name: getattr(hnet, name) for name in ("num_weights", "num_chunks", "chunk_size")}
    return {
        "theta": as_bytes(torch.cat([p.float().flatten() for p in hnet.theta().values()])),
        "hypernet": sizes
        | {"chunk_dim": hnet.body.chunk_embeddings.shape[1], "hidden": hidden}
        | {"activation": nonlinearity(hnet.body) if first else "ELU"},
        "layers": [dense[0].in_features, *(layer.out_features for layer in dense)],
        "activation": nonlinearity(module),
        "embeddings": [e.tolist() for e in hnet.task_embeddings],
    }


def nonlinearity(module: nn.Module) -> str:
    """The name of the function between a network's layers.

    Raises:
        SizeError: the browser does not know it.
    """
    names = {type(layer).__name__ for layer in module.modules() if not isinstance(layer, (nn.Linear, nn.Flatten))}
    (found, *more) = sorted(names & {"ELU", "ReLU", "Sigmoid", "Tanh"}) or [""]
    if more or not found:
        raise SizeError(f"The browser knows networks of ELU, ReLU, Sigmoid or Tanh, one of them; here: {names}.")
    return found


def examples(tasks: Sequence[Task], samples: int) -> dict[str, Any]:
    """Test samples of all tasks."""
    halves = [thinned(task.test, samples) for task in tasks]
    x, y = torch.cat([half.x.flatten(1) for half in halves]), torch.cat([half.y.flatten() for half in halves]).float()
    about = [
        {"name": task.name, "head": task.head and [task.head.start, task.head.stop], "count": len(half)}
        for task, half in zip(tasks, halves, strict=True)
    ]
    bytes_ = x.dtype == torch.uint8
    edges = [x.min(), x.max(), y.min(), y.max()]
    return {
        "kind": "classification" if bytes_ else "regression",
        "tasks": about,
        "inputs": as_bytes(x if bytes_ else x.float()),
        "answers": as_bytes(y),
        "window": [] if bytes_ else [e.item() + margin for e, margin in zip(edges, MARGINS, strict=True)],
    }
