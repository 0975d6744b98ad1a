"""Is this record what it says? What is asked of a record, whoever made it and wherever it lies."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from itertools import chain
from pathlib import Path

import torch
from pydantic import ValidationError

from hnetlib.errors import RecordError
from hnetlib.experiments import record
from hnetlib.experiments.config import READER, Config, Tasks, flatten
from hnetlib.experiments.record import Record
from hnetlib.experiments.registry import EXPERIMENTS
from hnetlib.experiments.run import Job

ROUNDING = 1e-3  # records have four digits


def faults(path: Path) -> list[str]:
    """What is wrong with the record in a file, a sentence each; nothing: it may join the others."""
    try:
        run = record.load(path)
    except RecordError as error:
        return [str(error)]
    if run.experiment not in EXPERIMENTS:
        return [f"There is no experiment {run.experiment!r}; `hnet list` shows all."]
    wanted = Job(run.experiment, run.seed, run.tier).config
    said = settings(run, wanted), numbers(run, wanted.tasks), surveys(run, wanted), origin(run, wanted.tasks.images)
    return [*chain(*said), *files(run, path)]


def belongs(run: Record) -> Path:
    """Where the record belongs among the project's."""
    return record.place(run.experiment, run.seed, run.tier, Path("data/results"))


def settings(run: Record, wanted: Config) -> Iterator[str]:
    """The registry's configuration, and nothing changed."""
    if run.seed < 0:
        yield f"Seeds count from 0; this one is {run.seed}."
    if run.changed:
        yield f"It was run with settings of its own ({', '.join(run.changed)}); records have the registry's."
        return
    if unknown := set(flatten(run.config)) - set(flatten(asdict(wanted))):
        yield f"Its configuration has settings that do not exist: {', '.join(sorted(unknown))}."
        return
    try:
        # A setting that is newer than the record has, as its default, what was done before there was a choice.
        found = READER.validate_python(run.config)
    except ValidationError as error:
        yield f"Its configuration cannot be read: {record.first_fault(error)}."
        return
    theirs, ours = flatten(asdict(found)), flatten(asdict(wanted))
    if other := [key for key in ours if theirs.get(key) != ours[key]]:
        named = ", ".join(f"{key} is {theirs.get(key)!r}, not {ours[key]!r}" for key in other)
        yield f"Its configuration is not that of {run.experiment} at the {run.tier} tier: {named}."


def numbers(run: Record, tasks: Tasks) -> Iterator[str]:
    """A matrix of all tasks, and the metrics that follow from it."""
    sizes = {len(run.matrix), *map(len, run.matrix)}
    if sizes != {tasks.num_tasks}:
        yield f"Its matrix should have {tasks.num_tasks} rows and columns, one a task, but has {sorted(sizes)}."
        return
    matrix = record.as_matrix(run.model_dump())
    if matrix[-1].isnan().any() or matrix.diagonal().isnan().any():
        yield "Its matrix lacks numbers: each task is measured right after it was learned, and all after the last."
        return
    if not matrix.triu(1).nan_to_num(0).eq(0).all():
        yield "Its matrix has numbers above the diagonal, of tasks that were not learned yet."
    error = tasks.kind == "polynomials"
    known = matrix[~matrix.isnan()]
    if known.min() < 0 or (not error and known.max() > 100):
        yield "Its matrix has numbers that are no " + ("squared errors." if error else "percentages.")
    follows = record.derived(matrix, error)
    for name in sorted(follows.keys() | run.metrics.keys()):
        if abs(run.metrics.get(name, torch.inf) - follows.get(name, torch.inf)) <= ROUNDING:
            continue
        yield f"Its {name} is {run.metrics.get(name)}, but its matrix gives {follows.get(name)}."


def surveys(run: Record, wanted: Config) -> Iterator[str]:
    """What is measured after the last task: a landscape where one was asked for, means over all tasks."""
    if bool(wanted.landscape) != bool(run.landscape):
        yield "It lacks its landscape." if wanted.landscape else "It has a landscape that nobody asked for."
    for how, result in run.inferred.items():
        accuracies, found = result.accuracies, result.task_inference
        if {len(accuracies), len(found)} != {wanted.tasks.num_tasks}:
            yield f"Inference by {how} has not one number for each of the {wanted.tasks.num_tasks} tasks."
        elif not all(0 <= number <= 100 for number in (*accuracies, *found)):
            yield f"Inference by {how} has numbers that are no percentages."
        elif abs(sum(accuracies) / len(accuracies) - result.final) > ROUNDING:
            yield f"Inference by {how}: final is {result.final}, which is not the mean of its accuracies."


def origin(run: Record, images: str) -> Iterator[str]:
    """Committed code, the data that everybody has, and time spent."""
    source = run.provenance
    if dirty := [c for c in (source.commit, *source.commits) if not c.isalnum() or c == "unknown"]:
        yield f"It is not of committed code ({dirty[0]}), so nobody could run the same again."
    if source.wall_seconds <= 0:
        yield "It took no time."
    if (known := data_of_others(images)) and source.data_sha256 not in known:
        yield f"Its data are not those of the other records on {images}: their SHA-256 is {source.data_sha256}."


@cache
def data_of_others(images: str) -> frozenset[str | None]:
    """Hashes of the data of the project's own records on these pictures."""
    names = [name for name, entry in EXPERIMENTS.items() if entry.config.tasks.images == images]
    return frozenset(run["provenance"]["data_sha256"] for name in names for run in record.best(name))


def files(run: Record, path: Path) -> Iterator[str]:
    """The arrays that the record names lie beside it."""
    if run.arrays_sha256:
        try:
            record.read_arrays(path.with_suffix(".safetensors"), run.arrays_sha256)
        except RecordError as error:
            yield str(error)
