"""One style and one palette for every figure of the book."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import torch
from cycler import cycler
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from hnetlib.metrics import during, final
from hnetlib.tasks import Task

# Methods keep their colour throughout the book; all pairs differ for colour-blind readers, too.
PALETTE = {
    "hnet": "#C1272D",
    "fine-tuning": "#6B7280",
    "SI": "#0072B2",
    "EWC": "#E69F00",
    "DGR": "#009E73",
    "HAT": "#7A5230",
    "from scratch": "#1F2937",
    "during": "#7B4FA3",
    "final": "#B3446C",
}
TASK_COLORS = ["#1F4E79", "#2E9C8E", "#B8731A"]  # for pictures in which a task, not a method, has a colour
STYLE = {
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.size": 10.5,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#4B5563",
    "axes.labelcolor": "#1F2937",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=[*TASK_COLORS, *PALETTE.values()]),
    "grid.color": "#E5E7EB",
    "lines.linewidth": 2,
    "legend.frameon": False,
    "image.cmap": "BuPu",
    "svg.hashsalt": "hnetlib",  # the same picture is the same file
}


def use_style() -> None:
    """Set the book's style; in a notebook also draw figures as SVG, crisp at any size."""
    mpl.rcParams.update(STYLE)  # type: ignore[arg-type]
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # not in a notebook
        return
    set_matplotlib_formats("svg", metadata={"Date": None})


def panels(count: int, width: float = 8.5, height: float = 2.9, **options) -> tuple[Figure, list[Axes]]:
    """A row of `count` axes; `options` go to `plt.subplots`."""
    figure, axes = plt.subplots(1, count, figsize=(width, height), squeeze=False, **options)
    return figure, list(axes[0])


def regression(ax: Axes, tasks: Sequence[Task], predictions: Sequence[Tensor], title: str) -> None:
    """Fig. 2: dashed the true functions, dots the predictions on each task's test inputs."""
    for t, (task, predicted, color) in enumerate(zip(tasks, predictions, TASK_COLORS, strict=False)):
        x, y = task.test.x, task.test.y
        ax.plot(x, y, "--", color="#4B5563", linewidth=1.2, label="truth" if t == 0 else None)
        ax.plot(x[::8], predicted[::8].detach(), "o", color=color, markersize=3.5, label=task.name)
    ax.set(title=title, xlabel="x", xlim=(-4.3, 4.3), ylim=(-2.8, 1.8))


def accuracy_matrix(
    ax: Axes, matrix: Float[Tensor, "tasks tasks"], title: str, low: float = 0, digits: int = 0
) -> None:
    """Row: after which task; column: accuracy on which task, in percent; tasks from 1. Colours start at `low`."""
    image = ax.imshow(matrix, vmin=low, vmax=100)
    threshold = (low + 100) / 2
    for i in range(len(matrix)):
        for j in range(i + 1):
            value = matrix[i, j].item()
            color = "white" if value > threshold else "#1F2937"
            ax.text(j, i, f"{value:.{digits}f}", ha="center", va="center", fontsize=7.5, color=color)
    ticks, labels = range(len(matrix)), [str(t + 1) for t in range(len(matrix))]
    ax.set(title=title, xlabel="accuracy on task", ylabel="after learning task")
    ax.set_xticks(ticks, labels)
    ax.set_yticks(ticks, labels)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.figure.colorbar(image, ax=ax, shrink=0.8, label="%").outline.set_visible(False)


def first_task(ax: Axes, curves: dict[str, Float[Tensor, "tasks tasks"]]) -> None:
    """Accuracy on the first task as more tasks are learned, a line a method; keys with a palette colour get it."""
    for name, matrix in curves.items():
        steps = torch.arange(1, len(matrix) + 1)
        ax.plot(steps, matrix[:, 0], "o-", markersize=4, label=name, color=PALETTE.get(name))
    ax.set(xlabel="tasks learned so far", ylabel="accuracy on the first task (%)", ylim=(0, 103))


def after_the_last(ax: Axes, matrices: Sequence[Float[Tensor, "tasks tasks"]], **style) -> None:
    """Figs. 3a, A2a, A5a: accuracy on each task after the last; the mean over seeds, shaded ± one standard deviation.

    `style` goes to `ax.plot`.
    """
    last = torch.stack([matrix[-1] for matrix in matrices])
    tasks, mean = range(1, last.shape[1] + 1), last.mean(dim=0)
    (line,) = ax.plot(tasks, mean, **style)
    if len(last) > 1:
        std = last.std(dim=0)
        ax.fill_between(tasks, mean - std, mean + std, color=line.get_color(), alpha=0.2, linewidth=0)
    ax.set(xlabel="task", ylabel="accuracy after the last task (%)", ylim=(0, 101))


def during_and_final(ax: Axes, x: Sequence[Any], runs: Sequence[Sequence[Tensor]], **style) -> None:
    """Figs. A2c, A5b, A5d: mean during and final accuracy of matrices, a place on x for each group of seeds.

    Bars are standard errors. `style` goes to `ax.errorbar`.
    """
    for measure in (during, final):
        found = [torch.tensor([measure(matrix) for matrix in group]) for group in runs]
        sem = [v.std().item() / len(v) ** 0.5 if len(v) > 1 else 0.0 for v in found]
        options: dict[str, Any] = {
            "fmt": "o-",
            "markersize": 4,
            "capsize": 2,
            "color": PALETTE[measure.__name__],
            "label": measure.__name__,
        } | style
        ax.errorbar(x, [v.mean().item() for v in found], sem, **options)
    ax.set(ylabel="accuracy, mean over tasks (%)")


def pictures(
    axes: Sequence[Axes],
    blocks: Sequence[UInt8[Tensor, "classes samples pixels"]],
    titles: Sequence[str],
    side: int,
    label: str = "",
) -> None:
    """Fig. A8: pictures of `side` x `side` pixels, a row of samples for each class; a block for each of the axes.

    `label` says whose they are. Where there are no blocks, it alone is shown.
    """
    if not blocks:
        for ax in axes:
            ax.set_axis_off()
        axes[0].set_title(label, fontsize=9.5)
        return
    for ax, block, title in zip(axes, blocks, titles, strict=True):
        classes, samples, _ = block.shape
        apart = F.pad(block.view(classes, samples, side, side), (1, 1, 1, 1))  # small pictures fill their squares
        ax.imshow(apart.permute(0, 2, 1, 3).flatten(2).flatten(0, 1), cmap="gray_r", vmin=0, vmax=255)
        ax.set_title(title, fontsize=9.5)
        ax.set_yticks([(t + 0.5) * (side + 2) for t in range(classes)], [str(t) for t in range(classes)])
        ax.set_xticks([])
        ax.grid(False)
    axes[0].set_ylabel(label)


def landscape(
    ax: Axes,
    accuracies: Float[Tensor, "points points"] | None,
    extent: float,
    embeddings: Float[Tensor, "tasks 2"],
    title: str,
    low: float = 50,
) -> None:
    """Fig. 4: accuracy in percent over the plane of embeddings, and where the learned ones lie; tasks from 1.

    Rows of `accuracies` go up in e_2, columns to the right in e_1. All that is at most `low` has the palest colour.
    None draws the plane alone.
    """
    if accuracies is not None:
        box = (-extent, extent, -extent, extent)
        image = ax.imshow(accuracies, vmin=low, vmax=100, extent=box, origin="lower", interpolation="nearest")
        ax.figure.colorbar(image, ax=ax, shrink=0.8, label="%").outline.set_visible(False)
    for t, (first, second) in enumerate(embeddings.tolist(), start=1):
        ax.plot(first, second, "o", color="white", markeredgecolor="#1F2937", markersize=12)
        ax.text(first, second, str(t), ha="center", va="center_baseline", fontsize=8, fontweight="bold")
    ax.set(title=title, xlabel="$e_1$", ylabel="$e_2$", xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal")
    ax.grid(accuracies is None)
