"""Paper and ours, side by side: one row for each number of the paper."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from hnetlib.errors import UnknownExperimentError
from hnetlib.experiments import record
from hnetlib.experiments.registry import EXPERIMENTS, ROWS

if TYPE_CHECKING:
    from IPython.display import Markdown

CLOSE = 0.5  # points: as good as equal
ERRORS = 3.0  # combined standard errors: may be chance
COLUMNS = ("id", "in the paper", "metric", "paper", "ours", "n", "tier", "diff.", "status")


@dataclass(frozen=True)
class Row:
    """A number of the paper, and what the records say."""

    id: str
    where: str
    metric: str  # "final" or "during"
    experiment: str  # whose records answer it
    paper: float
    paper_sem: float | None
    paper_n: int | None
    ours: float | None = None
    sem: float | None = None  # standard error of the mean over n seeds; None for one
    n: int = 0
    tier: str | None = None
    difference: float | None = None  # ours - paper
    status: str = "pending"  # "reproduced", "short" (of the paper's), "reduced" (so no verdict), "pending" (no record)


def value(run: dict[str, Any], metric: str, evaluation: str) -> float | None:
    """A record's number for a metric and an evaluation, if it has it."""
    if evaluation == "given":
        return run["metrics"].get(metric)
    return run["inferred"][evaluation]["final"] if evaluation in run["inferred"] else None


def measured(experiment: str, metric: str, evaluation: str, folder: Path) -> tuple[str | None, list[float]]:
    """The numbers of all seeds at the best tier that has any."""
    runs = record.best(experiment, folder)
    numbers = [number for run in runs if (number := value(run, metric, evaluation)) is not None]
    return (runs[0]["tier"] if numbers else None), numbers


def status(difference: float, sem: float | None, paper_sem: float | None) -> str:
    """Reproduced: within half a point or three combined standard errors, or better."""
    allowed = max(CLOSE, ERRORS * math.hypot(sem or 0, paper_sem or 0))
    return "reproduced" if difference >= -allowed else "short"


def report(folder: Path = record.RESULTS, ids: Sequence[str] | None = None) -> list[Row]:
    """One row for each of the paper's numbers, in the order of its tables; with `ids`, those rows in that order.

    Raises:
        UnknownExperimentError: the paper has no such row.
    """
    path = record.PACKAGE / "experiments" / "paper" / "targets.json"
    targets = json.loads(path.read_text(encoding="utf-8"))["rows"]
    if unknown := set(ids or ()) - {target["id"] for target in targets}:
        raise UnknownExperimentError(f"The paper has no row {min(unknown)!r}; `hnet report` shows all.")
    wanted = targets if ids is None else [target for row in ids for target in targets if target["id"] == row]
    return [answer(target, folder) for target in wanted]


def answer(target: dict[str, Any], folder: Path) -> Row:
    """One of the paper's numbers beside ours."""
    experiment, evaluation = ROWS[target["id"]]
    metric, paper = target.get("metric", "final"), target["value"]
    said = (target["id"], target["where"], metric, experiment, paper, target.get("sem"), target.get("n"))
    tier, numbers = measured(experiment, metric, evaluation, folder)
    if not numbers:
        return Row(*said)
    ours, n = statistics.fmean(numbers), len(numbers)
    sem = statistics.stdev(numbers) / math.sqrt(n) if n > 1 else None
    verdict = status(ours - paper, sem, target.get("sem")) if tier == "paper" else "reduced"
    rounded = None if sem is None else round(sem, 3)
    return Row(*said, round(ours, 3), rounded, n, tier, round(ours - paper, 3), verdict)


def pending(folder: Path = record.RESULTS) -> list[tuple[str, int]]:
    """Experiments and seeds without a record at the paper's tier: first one seed of each, then the next."""
    most = max(entry.seeds for entry in EXPERIMENTS.values())
    return [
        (name, seed)
        for seed in range(most)
        for name, entry in EXPERIMENTS.items()
        if seed < entry.seeds and not record.place(name, seed, folder=folder).exists()
    ]


def number(mean: float, error: float | None) -> str:
    """A mean and its standard error, if it has one."""
    return f"{mean:.2f}" + (f" ± {error:.2f}" if error is not None else "")


def cells(row: Row) -> list[str]:
    """A row as text."""
    paper, ours = number(row.paper, row.paper_sem), "" if row.ours is None else number(row.ours, row.sem)
    difference = "" if row.difference is None else f"{row.difference:+.2f}"
    where = row.where.partition(" (")[0].partition(",")[0]
    return [row.id, where, row.metric, paper, ours, str(row.n or ""), row.tier or "", difference, row.status]


def as_markdown(rows: list[Row]) -> str:
    """A table: the paper's numbers and ours, side by side. Numbers keep their errors in the same line."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(cells(row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines).replace(
        " ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"
    )


def table(*ids: str) -> "Markdown":
    """For a notebook: the rows with these ids, as `as_markdown` writes them."""
    from IPython.display import Markdown  # only a notebook has it

    return Markdown(as_markdown(report(ids=ids)))


def recorded(experiment: str) -> tuple[list[Tensor], str]:
    """For a figure: the accuracy matrices of an experiment's records at the best tier, and tier and n in words."""
    runs = record.best(experiment)
    origin = f"{runs[0]['tier']} tier, n = {len(runs)}" if runs else "no record yet"
    return [record.as_matrix(run) for run in runs], origin


def example(experiment: str) -> tuple[dict[str, Any] | None, str]:
    """For a figure of a single run: the first of an experiment's records at the best tier, and which it is in words."""
    runs = record.best(experiment)
    return (runs[0], f"{runs[0]['tier']} tier, seed {runs[0]['seed']}") if runs else (None, "no record yet")


def pictures(experiment: str) -> tuple[list[Tensor], str]:
    """For Fig. A8: an `example`'s pictures of each class right after it was learned, and after all; none: no record."""
    run, origin = example(experiment)
    if run is None:
        return [], origin
    stored = record.arrays(run)
    return [stored["first"], stored["final"]], origin


def by_class(matrix: Tensor) -> str:
    """For Fig. A8: percent recognized of each task's pictures, right after it was learned and in the end; two lines."""
    lines = []
    for when, row in {"right after": matrix.diagonal(), "in the end": matrix[-1]}.items():
        classes = " ".join(f"{value:4.0f}" for value in row)
        lines.append(f"    {when:12}{classes}   mean {row.mean():5.1f}")
    return "\n".join(lines)


def judged(experiment: str) -> str:
    """For Fig. A8: `by_class` of an `example`, which it is, and how good its judge is."""
    run, origin = example(experiment)
    if run is None:
        return f"{experiment}: {origin}"
    judge = f"    on true digits the judge is right {run['judge']:.1f}%"
    return f"{experiment}: {origin}\n{by_class(record.as_matrix(run))}\n{judge}"
