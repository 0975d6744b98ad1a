"""The command `hnet`: list, run and report the paper's experiments; fetch data; show and check records."""

import json
import math
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from torch import Tensor

from hnetlib.data import BUILDERS, data_dir, load_images
from hnetlib.errors import ConfigError, DataError, HnetError, RecordError, UnknownExperimentError
from hnetlib.experiments import record, registry, run, sweep
from hnetlib.experiments.build import image_sets
from hnetlib.experiments.check import belongs, faults
from hnetlib.experiments.config import Tier, flatten
from hnetlib.experiments.report import COLUMNS, as_markdown, cells, pending, report

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The experiments of *Continual learning with hypernetworks*, one name each. "
    "Exit status: 0 done, 1 something failed, 2 wrong use, 3 time was up with work left.",
    rich_markup_mode="markdown",
)
out = Console(highlight=False)
Folder = Annotated[Path, typer.Option("--out", file_okay=False, help="Folder of the records.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Rows (p10-cl1-hnet), figures (fig3b), patterns (s-*).")]
Seeds = Annotated[str, typer.Option(help="For example 0, 0-4 or 0,3,7-9.")]
TIERS = "paper: as published; reduced: a fraction of the steps; quick: a rehearsal on small pictures."
AtTier = Annotated[Tier, typer.Option(help=TIERS)]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to run.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Change a setting: method.beta=0.1.")]
Pending = Annotated[bool, typer.Option("--pending", help="All runs without a record at the paper tier.")]
Minutes = Annotated[float, typer.Option(help="Stop in time; the next call goes on.", show_default=False)]
Workers = Annotated[int, typer.Option(min=1, help="Local processes side by side.")]
Ray = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Use this Ray cluster instead.")]
WRONG = RecordError, ConfigError, UnknownExperimentError  # what was asked for, not what happened
COLOURS = {"reproduced": "green", "short": "red", "reduced": "magenta", "pending": "dim"}


@app.command("list")
def list_(as_json: AsJson = False, folder: Folder = record.RESULTS, pending_: Pending = False) -> None:
    """List all experiments: their place in the paper, the rows they answer, their records at the paper tier."""
    if pending_:
        left = [{"id": name, "seed": seed} for name, seed in pending(folder)]
        print(json.dumps(left, indent=1) if as_json else "\n".join(f"{one['id']}, seed {one['seed']}" for one in left))
        return
    answers: dict[str, list[str]] = {}
    for row, (name, _) in registry.ROWS.items():
        answers.setdefault(name, []).append(row)
    entries: list[dict[str, Any]] = [
        {
            "id": name,
            "where": entry.where,
            "rows": answers.get(name, []),
            "figures": [figure for figure, names in registry.FIGURES.items() if name in names],
            "seeds": entry.seeds,
            "records": len(record.read(name, folder=folder)),
            "config": asdict(entry.config),
        }
        for name, entry in registry.EXPERIMENTS.items()
    ]
    if as_json:
        print(json.dumps(entries, indent=1))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("id", "in the paper", "also answers", "records"):
        table.add_column(column, no_wrap=column == "id", overflow="fold")
    for e in entries:
        others = [row for row in e["rows"] if row != e["id"]]
        table.add_row(e["id"], e["where"], ", ".join(others), f"{e['records']} of {e['seeds']}")
    out.print(table)


@app.command("run")
def run_(
    ids: Ids = None,
    seeds: Seeds = "0",
    tier: AtTier = "paper",
    device: Device = "auto",
    folder: Folder = record.RESULTS,
    set_: Set = None,
    pending_: Pending = False,
    minutes: Minutes = math.inf,
    workers: Workers = 1,
    ray: Ray = None,
) -> None:
    """Run experiments. Each run leaves a record; a run that was killed goes on where it stopped."""
    if bool(ids) == pending_:
        raise typer.BadParameter("Name experiments, or give --pending; `hnet list` shows what there is.")
    changed, where = settings(set_ or []), choose(device)
    if pending_:
        asked = pending(folder)
    else:
        names = [entry.id for pattern in ids or [] for entry in registry.find(pattern)]
        asked = [(name, seed) for seed in numbers(seeds) for name in dict.fromkeys(names)]
    jobs = [run.Job(name, seed, tier, changed, where, folder) for name, seed in asked]
    for job in jobs:
        check(job)
    left = [job for job in jobs if not job.path.exists()]
    if len(left) < len(jobs):
        out.print(f"{len(jobs) - len(left)} of {len(jobs)} runs have their records already.")
    ready = with_data(left)
    outcomes = sweep.outcomes(ready, time.monotonic() + 60 * minutes, Progress(), workers, ray)
    status = tell(list(map(announce, outcomes)))
    raise typer.Exit(status if len(ready) == len(left) else 1)


def check(job: run.Job) -> None:
    """Refuse what cannot be meant before anything runs."""
    _ = job.config
    if job.changed and job.folder.resolve() == record.RESULTS.resolve():
        raise typer.BadParameter("With --set, give --out DIR: the project's records have the registry's settings.")
    if job.path.exists() and record.load(job.path).changed != job.changed:
        raise typer.BadParameter(f"{job.path} is a run with other settings: give another --out.")


def with_data(jobs: list[run.Job]) -> list[run.Job]:
    """The jobs whose image sets can be loaded; of any other set it is said once what is wrong.

    Every set is fetched here, before there are several processes that would all fetch it, and not kept in memory.
    """
    needs = [image_sets(job.config.tasks) for job in jobs]
    missing = set()
    for name, many in Counter(name for names in needs for name in names).items():
        try:
            load_images(name)
        except DataError as error:
            fail(f"{error} Runs left out for it: {many}.")
            missing.add(name)
    return [job for job, names in zip(jobs, needs, strict=True) if not missing & set(names)]


def announce(outcome: sweep.Outcome) -> sweep.Outcome:
    """One line for a job that ended."""
    job = f"{outcome.job.experiment}, seed {outcome.job.seed}"
    if outcome.stopped:
        out.print(f"{job}: stopped; the next call goes on")
    elif outcome.error:
        fail(f"{job}: {outcome.error}")
    else:
        metrics = record.load(outcome.job.path).metrics
        numbers = ", ".join(f"{name} {value:.6g}" for name, value in metrics.items())
        out.print(f"{job}: {numbers} → {escape(str(outcome.job.path))}", soft_wrap=True)
    return outcome


def tell(outcomes: list[sweep.Outcome]) -> int:
    """The exit status that says how all jobs ended."""
    if any(outcome.error and not outcome.stopped for outcome in outcomes):
        return 1
    return 3 if any(outcome.stopped for outcome in outcomes) else 0


class Progress:
    """A line for each task learned, with the time that is left, for logs; a terminal has bars as well."""

    def __init__(self) -> None:
        self.started: dict[Path, tuple[float, int]] = {}

    def __call__(self, job: run.Job, done: int, matrix: Tensor) -> None:
        now, total = time.monotonic(), len(matrix)
        start, first = self.started.setdefault(job.path, (now, done))
        pace = (now - start) / (done - first) if done > first else None
        rest = f", about {pace * (total - done) / 60:.0f} min left" if pace and done < total else ""
        mean = matrix[done - 1, :done].nanmean().item()
        out.print(f"{job.experiment}, seed {job.seed}: task {done} of {total}, mean {mean:.4g}{rest}")


def numbers(text: str) -> list[int]:
    """Seeds: "0-2,5" is 0, 1, 2, 5."""
    try:
        ends = [[int(end) for end in part.split("-")] for part in text.split(",")]
        if any(len(end) > 2 or end[0] > end[-1] for end in ends):
            raise ValueError
        return list(dict.fromkeys(seed for end in ends for seed in range(end[0], end[-1] + 1)))
    except ValueError:
        raise typer.BadParameter(f"--seeds takes numbers and ranges such as 0-4 or 0,3,7; got {text!r}.") from None


def settings(pairs: list[str]) -> dict[str, Any]:
    """--set key=value, values as in JSON; what is no JSON is text."""
    changed = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"--set takes key=value; got {pair!r}.")
        try:
            changed[key] = json.loads(text)
        except json.JSONDecodeError:
            changed[key] = text
    return changed


def choose(device: str) -> str:
    """auto: a GPU where there is one."""
    if device == "cuda" and not torch.cuda.is_available():
        raise typer.BadParameter("PyTorch finds no CUDA device here; use --device cpu.")
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


@app.command("report")
def report_(
    as_json: AsJson = False,
    markdown: AsMarkdown = False,
    folder: Folder = record.RESULTS,
) -> None:
    """The paper's numbers and ours, side by side."""
    rows = report(folder)
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return
    if markdown:
        print(as_markdown(rows))
        return
    table = Table(box=None, header_style="bold", pad_edge=False, collapse_padding=True)
    fitting = ("id", "paper", "ours", "n", "diff.", "status")  # a terminal; --markdown has the rest
    for column in fitting:
        table.add_column(column, no_wrap=column != "id", overflow="fold")
    for row in rows:
        said = dict(zip(COLUMNS, (cell.replace(" ± ", "±") for cell in cells(row)), strict=True))
        said["id"] += "" if row.metric == "final" else f" [dim]({row.metric})[/]"
        said["status"] = f"[{COLOURS[row.status]}]{row.status}[/]"
        table.add_row(*(said[column] for column in fitting))
    out.print(table)
    count = Counter(row.status for row in rows)
    out.print(", ".join(f"{number} {name}" for name, number in count.items()))


@app.command("data")
def data(names: Annotated[list[str], typer.Argument(help=f"Any of {', '.join(BUILDERS)}.")]) -> None:
    """Fetch image sets ahead of time into the cache ($HNETLIB_DATA), and check them."""
    for name in names:
        images, place = load_images(name), escape(str(data_dir()))
        out.print(f"{name}: {len(images.train_labels):,} to train on, {len(images.test_labels):,} to test, in {place}")


@app.command("show")
def show(path: Annotated[str, typer.Argument(metavar="RECORD", help="A file, or ID/SEED.")]) -> None:
    """Show a record: its numbers, its configuration, and where it comes from."""
    place = Path(path)
    name, _, seed = path.rpartition("/")
    if not place.exists() and seed.isdigit():
        place = record.place(name, int(seed))
    shown = record.load(place)
    out.print(f"[bold]{shown.experiment}[/], seed {shown.seed}, {shown.tier} tier")
    table = Table(box=None, show_header=False)
    flat: dict[str, Any] = {
        **shown.metrics,
        **{f"final, task by {how}": result.final for how, result in shown.inferred.items()},
    }
    flat |= {f"weights of the {name}": f"{count:,}" for name, count in shown.num_weights.items()}
    for part in (flat, flatten(shown.config), shown.provenance.model_dump(exclude_none=True)):
        for key, value in part.items():
            table.add_row(key, escape(str(value)))
        table.add_section()
    out.print(table)


@app.command("check")
def check_(paths: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Records, from any machine.")]) -> None:
    """Check records before they join the others: schema, settings, numbers, and where they come from."""
    bad = False
    for path in paths:
        wrong = faults(path)
        for fault in wrong:
            fail(f"{path}: {fault}")
        if wrong:
            bad = True
            continue
        good = record.load(path)
        made = good.provenance
        out.print(escape(f"{path}: good. It belongs at {belongs(good)}."), soft_wrap=True)
        out.print(
            f"  {good.experiment}, seed {good.seed}, {good.tier} tier; commit {made.commit[:12]}, {made.started}, "
            f"torch {made.torch}, {made.device}, {made.wall_seconds / 60:.1f} min, resumed {made.resumed} times",
            soft_wrap=True,
        )
    raise typer.Exit(bad)


def main() -> None:
    """Run the command; what hnetlib raises on purpose becomes one line, and exit status 2 where the call was wrong."""
    try:
        app()
    except HnetError as error:
        fail(str(error))
        sys.exit(2 if isinstance(error, WRONG) else 1)


def fail(message: str) -> None:
    """One line on standard error."""
    Console(stderr=True, highlight=False).print(f"[red]Error:[/] {escape(message)}", soft_wrap=True)


if __name__ == "__main__":
    main()
