"""Step through training on a sequence of tasks, and see what each method keeps."""

from collections.abc import Mapping, Sequence

import anywidget
import traitlets
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from hnetlib import plots
from hnetlib.errors import SizeError
from hnetlib.metrics import as_rows
from hnetlib.widgets.script import script


class ForgettingPlayer(anywidget.AnyWidget):
    """The accuracy matrix fills in and a curve for each task is drawn, moment by moment; methods can be switched.

    Args:
        histories: by method, what `metrics.watched` returns: accuracy in percent on each task at each moment.
        moments: the steps of training on a task at which was measured; the last is the whole.

    Raises:
        SizeError: the methods were not measured on the same tasks at the same moments.
    """

    _esm = script("dom.js", "forgetting.js")
    history: traitlets.Dict = traitlets.Dict().tag(sync=True)  # method -> moment -> accuracy on each task, or null
    moments: traitlets.List = traitlets.List().tag(sync=True)  # where in training each moment is
    methods: traitlets.List = traitlets.List().tag(sync=True)  # in the order of the choice
    colors: traitlets.Dict = traitlets.Dict().tag(sync=True)  # of the methods, those of all figures
    method = traitlets.Unicode().tag(sync=True)  # the one that is shown
    moment = traitlets.Int().tag(sync=True)  # which moment is shown, from 0

    def __init__(self, histories: Mapping[str, Float[Tensor, "tasks moments tasks"]], moments: Sequence[int]):
        sizes = {tuple(history.shape) for history in histories.values()}
        if len(sizes) != 1 or next(iter(sizes))[1] != len(moments):
            raise SizeError(
                f"All methods must be measured on the same tasks at the same {len(moments)} moments, "
                f"but the sizes are {sorted(sizes)}."
            )
        tasks = next(iter(sizes))[0]
        super().__init__(
            history={name: as_rows(history.flatten(0, 1), digits=1) for name, history in histories.items()},
            moments=[place(task, step, moments[-1]) for task in range(tasks) for step in moments],
            colors={name: plots.PALETTE.get(name, "#1F4E79") for name in histories},
            methods=list(histories),
            method=next(iter(histories)),
            moment=tasks * len(moments) - 1,
        )
        self.matrices = {name: history[:, -1] for name, history in histories.items()}

    def still(self) -> Figure:
        """The widget's last moment as a figure, for paper and for readers without JavaScript."""
        figure, axes = plots.panels(len(self.matrices), width=10.5, height=3.1)
        for ax, (name, matrix) in zip(axes, self.matrices.items(), strict=True):
            plots.accuracy_matrix(ax, matrix, name)
        return figure


def place(task: int, step: int, steps: int) -> dict[str, int | bool]:
    """One moment: the task in training, how many of its steps are done, and the same counted over all tasks."""
    start = task * steps
    return {"task": task, "step": step, "steps": steps, "start": start, "total": start + step, "ends": step == steps}
