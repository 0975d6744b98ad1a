"""From an entry of the registry to a record."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hnetlib import tasks as sequences
from hnetlib.baselines import FineTuning
from hnetlib.checkpoint import Checkpoint
from hnetlib.experiments import config as settings
from hnetlib.experiments import record, registry
from hnetlib.experiments.build import Learning, build, make_tasks, num_weights, softmax_grows, training_of
from hnetlib.experiments.config import Config, Tier
from hnetlib.inference import accuracy_by_entropy
from hnetlib.learner import HyperNetLearner, products
from hnetlib.metrics import accuracy, accuracy_among_all, as_rows, learn_all, mean_squared_error
from hnetlib.plane import grid, right_answers
from hnetlib.replay import Gallery, TaskInference, accuracy_by_classifier
from hnetlib.replay.gallery import recognized
from hnetlib.tasks import Scenario, Task, thinned

EXTENT = 5.0  # of the plane that Fig. 4 shows, in both directions of both axes [p]
ASKED = 500  # test examples of a task, evenly spaced, for each point of that plane [o]: all take four times as long


@dataclass(frozen=True)
class Job:
    """One run: an experiment, a seed, a tier, and what is asked for besides."""

    experiment: str
    seed: int = 0
    tier: Tier = "paper"
    changed: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    folder: Path = record.RESULTS
    every: float = 180.0  # seconds between two checkpoints inside a task

    @property
    def path(self) -> Path:
        """Where the record goes."""
        return record.place(self.experiment, self.seed, self.tier, self.folder)

    @property
    def config(self) -> Config:
        """What is run. Raises `ConfigError` where `changed` does not fit."""
        entry = registry.EXPERIMENTS[self.experiment]
        drawn = entry.draw(entry.config, self.seed) if entry.draw else entry.config
        if self.tier == "reduced" and entry.fewer:
            drawn = replace(drawn, tasks=replace(drawn.tasks, num_tasks=entry.fewer))
        return settings.with_values(settings.at_tier(drawn, self.tier), self.changed)

    @property
    def checkpoint(self) -> Path:
        """The file that the run goes on from."""
        return self.path.with_suffix(".checkpoint")


def execute(
    job: Job, deadline: float = math.inf, progress: Callable[[int, Tensor], None] = lambda done, matrix: None
) -> Path:
    """Run a job, going on from its checkpoint where there is one; returns the record's path.

    Raises:
        CheckpointError, ConfigError, DataError, DivergedError, OutOfTime: see there.
    """
    config, checkpoint = job.config, opened(job, deadline)
    torch.manual_seed(job.seed)
    tasks, data = make_tasks(config, job.seed, job.device)
    learner = build(config, job.seed, tasks, job.device)
    if isinstance(learner, Gallery):
        FineTuning(learner.judge, training_of(config, job.seed)).learn(sequences.merged(tasks))
    toy = config.tasks.kind == "polynomials"
    with products(config.products):
        matrix = learn_all(learner, tasks, measure(config), checkpoint, progress, config.evaluate_every)
        without_task = inferred(config, learner, tasks)
        extras = surveyed(job, config.landscape, learner, tasks) or judged(job, learner, tasks)
    digits = 6 if toy else 4
    result = record.Record(
        experiment=job.experiment,
        seed=job.seed,
        tier=job.tier,
        changed=job.changed,
        config=settings.READER.dump_python(config, mode="json"),
        num_weights=num_weights(learner),
        metrics=record.derived(matrix, toy),
        matrix=as_rows(matrix, digits),
        inferred=without_task,
        **extras,
        provenance=summary(checkpoint, data),
    )
    path = record.write(result, job.path)
    job.checkpoint.unlink(missing_ok=True)
    return path


def opened(job: Job, deadline: float) -> Checkpoint:
    """What the run goes on from, and with: with other threads than it began with, sums come out in another order."""
    key = f"{job.experiment}, seed {job.seed}, {job.tier} tier, {fingerprint(job.config, job.device)}"
    checkpoint = Checkpoint(job.checkpoint, key, job.every, deadline, **record.provenance(job.device))
    torch.set_num_threads(checkpoint.sessions[0]["threads"])
    return checkpoint


def measure(config: Config) -> Callable[[Any, Task, int], float]:
    """What the matrix is a matrix of."""
    if config.tasks.kind == "polynomials":
        return mean_squared_error
    if isinstance(config.method, settings.Pictures):
        return recognized
    return accuracy_among_all if softmax_grows(config) else accuracy


def fingerprint(config: Config, device: str) -> str:
    """What must be equal for a checkpoint to be gone on from.

    Settings at their defaults are left out. One that comes later, its default being what was done before, ends no run.
    """
    content = json.dumps([stated(config), device, torch.__version__], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def stated(value: Any) -> Any:
    """Settings that are not at their defaults, as plain data, with the names of their classes."""
    if not is_dataclass(value):
        return value
    pairs = ((setting, getattr(value, setting.name)) for setting in fields(value))
    return {"": type(value).__name__} | {s.name: stated(v) for s, v in pairs if v != s.default}


def inferred(config: Config, learner: Learning, tasks: list[Task]) -> dict[str, record.Inferred]:
    """What the same trained model does when the task is not given: in CL2 with one head, in CL3 with many.

    By entropy not for long sequences: a hundred networks on the tests of a hundred tasks take longer than training.
    """
    scenario = Scenario.CL2 if config.tasks.scenario == "CL2" else Scenario.CL3
    if isinstance(learner, TaskInference):
        return {"inferred": as_inferred(*accuracy_by_classifier(learner, tasks, scenario))}
    if not isinstance(learner, HyperNetLearner) or config.tasks.kind not in ("permuted", "split") or len(tasks) > 20:
        return {}
    return {"entropy": as_inferred(*accuracy_by_entropy(learner, tasks, scenario))}


def as_inferred(accuracies: list[float], found: list[float]) -> record.Inferred:
    """Accuracies and shares of tasks found, rounded, as a record has them."""
    accuracies, found = ([round(value, 4) for value in values] for values in (accuracies, found))
    final = round(sum(accuracies) / len(accuracies), 4)
    return record.Inferred(final=final, accuracies=accuracies, task_inference=found)


def surveyed(job: Job, points: int | None, learner: Learning, tasks: list[Task]) -> dict[str, Any]:
    """Fig. 4: the first and the last task over the plane of embeddings; the counts go into a file beside the record."""
    if not points or not isinstance(learner, HyperNetLearner):
        return {}
    plane = grid(EXTENT, points).to(learner.hnet.last.weight)
    shown = dict.fromkeys([0, len(tasks) - 1])
    fewer = {t: replace(tasks[t], test=thinned(tasks[t].test, ASKED)) for t in shown}
    counts = {f"task-{t}": right_answers(learner, task, t, plane).to(torch.int16) for t, task in fewer.items()}
    embeddings = [[round(value, 6) for value in e.tolist()] for e in learner.hnet.task_embeddings]
    examples = {t: len(task.test) for t, task in fewer.items()}
    landscape = record.Landscape(extent=EXTENT, embeddings=embeddings, examples=examples)
    return {"landscape": landscape, "arrays_sha256": record.write_arrays(counts, job.path)}


def judged(job: Job, learner: Learning, tasks: list[Task]) -> dict[str, Any]:
    """Of generated pictures: how good their judge is on true ones; some pictures themselves go into a file."""
    if not isinstance(learner, Gallery):
        return {}
    pictures = {"first": torch.stack(learner.first), "final": learner.look(range(len(tasks)))}
    judge = round(accuracy(learner, sequences.merged(tasks), 0), 4)
    return {"judge": judge, "arrays_sha256": record.write_arrays(pictures, job.path)}


def summary(checkpoint: Checkpoint, data: str | None) -> record.Provenance:
    """Where a run comes from, all its sessions together."""
    first, sessions = checkpoint.sessions[0], checkpoint.sessions
    commits = list(dict.fromkeys(session["commit"] for session in sessions))
    seconds = round(checkpoint.elapsed(), 1)
    return record.Provenance(
        **{name: value for name, value in first.items() if name != "seconds"},
        data_sha256=data,
        wall_seconds=seconds,
        resumed=len(sessions) - 1,
        commits=commits if len(commits) > 1 else [],
    )
