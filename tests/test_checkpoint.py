"""Killed runs go on with the same bits; damaged and foreign files are refused by name."""

import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hnetlib.baselines import EWC, HAT, SI, FineTuning, FromScratch, Joint
from hnetlib.checkpoint import CURRENT, MAGIC, Checkpoint
from hnetlib.data import load_images
from hnetlib.errors import CheckpointError, OutOfTime
from hnetlib.experiments.run import Job, execute
from hnetlib.experiments.sweep import attempt, one_by_one
from hnetlib.hypernet import HyperNetwork
from hnetlib.learner import HyperNetLearner, Training, train
from hnetlib.metrics import accuracy, learn_all
from hnetlib.networks import MLP, ResNet, ZenkeNet
from hnetlib.target import TargetNetwork
from hnetlib.tasks import Task, permuted, split_colours


def learner() -> HyperNetLearner:
    torch.manual_seed(0)
    target = TargetNetwork(MLP([64, 20, 30]))
    hnet = HyperNetwork(target.num_weights, 4, (8,), 300, 4)
    return HyperNetLearner(target, hnet, Training(20, 32, 0.003), beta=0.05)


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return permuted(load_images("digits"), 3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks processes")
def test_killed_at_twenty_random_moments_the_record_is_the_same(tmp_path: Path) -> None:
    script = Path(__file__).with_name("kill_and_resume.py")
    done = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, timeout=600)
    found = re.fullmatch(r"(\d+) of 20 identical, (\d+) went on from a checkpoint\n", done.stdout)
    assert found, done.stderr
    assert int(found[1]) == 20
    assert int(found[2]) >= 5, "kills must hit runs that have a checkpoint"


def same_bits_after(
    after: int, make: Callable[[], Any], place: Path, tasks: list[Task], measure: Callable[..., float] = accuracy
) -> None:
    """Break off after some steps, go on with a new learner, and compare with one that was left alone."""
    alone = learn_all(make(), tasks, measure)
    steps = 0

    class Interrupted(Checkpoint):
        def tick(self, *arguments: object) -> None:
            nonlocal steps
            super().tick(*arguments)  # type: ignore[arg-type]
            steps += 1
            if steps == after:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn_all(make(), tasks, measure, checkpoint=Interrupted(place, "run", every=0.0))
    assert CURRENT.get() is None
    second = make()
    torch.manual_seed(99)  # another process would have other random numbers
    resumed = learn_all(second, tasks, measure, checkpoint=Checkpoint(place, "run"))
    assert torch.equal(resumed.nan_to_num(), alone.nan_to_num())


@pytest.mark.parametrize("after", [1, 19, 20, 21, 45])
def test_an_interrupted_sequence_goes_on_with_the_same_bits(after: int, tmp_path: Path, tasks: list[Task]) -> None:
    same_bits_after(after, learner, tmp_path / "c", tasks)


@pytest.mark.parametrize("after", [7, 20, 33])
@pytest.mark.parametrize(
    "kind",
    [FineTuning, Joint, partial(EWC, examples=200), SI, partial(HAT, patience=1)],
    ids=["FineTuning", "Joint", "EWC", "SI", "HAT"],
)
def test_so_does_every_other_method(kind: Any, after: int, tmp_path: Path, tasks: list[Task]) -> None:
    def make() -> FineTuning:
        torch.manual_seed(0)
        rest = {"tasks": tasks} if kind is Joint else {}
        return kind(MLP([64, 20, 30]), Training(20, 200, 0.01), **rest)

    same_bits_after(after, make, tmp_path / "c", tasks)


def test_a_task_may_have_several_stages(tmp_path: Path, tasks: list[Task]) -> None:
    """As replay has: a classifier, then a generator. A stage that was finished is not trained again."""

    class TwoStages:
        def __init__(self) -> None:
            torch.manual_seed(1)
            self.parts, self.steps = [torch.nn.Linear(64, 10), torch.nn.Linear(64, 10)], [0, 0]

        def learn(self, task: Task, fail_at: int = -1) -> None:
            for i in range(2):
                self.stage(task, i, fail_at)

        def stage(self, task: Task, i: int, fail_at: int) -> None:
            optimizer = torch.optim.Adam(self.parts[i].parameters())

            def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
                self.steps[i] += 1
                loss = task.loss(self.parts[i](x) + torch.randn(10), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if i == 1 and self.steps[1] == fail_at:
                    raise KeyboardInterrupt
                return loss.detach()

            train(task, Training(10), step, {"part": self.parts[i], "optimizer": optimizer})

    plain = TwoStages()
    plain.learn(tasks[0])
    state = torch.get_rng_state()
    with Checkpoint(tmp_path / "c", "run", every=0.0), pytest.raises(KeyboardInterrupt):
        TwoStages().learn(tasks[0], fail_at=4)
    second = TwoStages()
    with Checkpoint(tmp_path / "c", "run", every=0.0):
        second.learn(tasks[0])
    assert second.steps == [0, 7]
    for a, b in zip(plain.parts, second.parts, strict=True):
        assert torch.equal(a.weight, b.weight)
    assert torch.equal(torch.get_rng_state(), state)


def test_statistics_of_batch_norm_go_on_too(tmp_path: Path, tasks: list[Task]) -> None:
    def with_batch_norm() -> HyperNetLearner:
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(64, 10), nn.BatchNorm1d(10), nn.ReLU(), nn.Linear(10, 30))
        target = TargetNetwork(module)
        return HyperNetLearner(target, HyperNetwork(target.num_weights, 4, (5,)), Training(5, 16))

    def stop(done: int, matrix: torch.Tensor) -> None:
        if done == 2:
            raise KeyboardInterrupt

    learn_all(alone := with_batch_norm(), tasks)
    with pytest.raises(KeyboardInterrupt):
        learn_all(with_batch_norm(), tasks, checkpoint=Checkpoint(tmp_path / "c", "run"), progress=stop)
    learn_all(resumed := with_batch_norm(), tasks, checkpoint=Checkpoint(tmp_path / "c", "run"))
    for mine, wanted in zip(resumed.buffers, alone.buffers, strict=True):
        for name, buffer in wanted.items():
            assert torch.equal(mine[name], buffer), name


COLOURS = split_colours([load_images("shapes")], 3, 4)


def resnet_learner(plateau: bool = False) -> HyperNetLearner:
    target = TargetNetwork(ResNet(12, blocks=1, width=2))
    training = Training(8, 150, 0.01, decay=((0.4, 0.1),), plateau=plateau)
    return HyperNetLearner(target, HyperNetwork(target.num_weights, 4, (), 100, 4), training)


@pytest.mark.parametrize("after", [3, 8, 13])
@pytest.mark.parametrize(
    "make",
    [
        partial(resnet_learner, plateau=True),
        lambda: FromScratch(resnet_learner),
        lambda: FineTuning(ResNet(12, blocks=1, width=2), Training(8, 50, 0.01)),
        lambda: FromScratch(lambda: FineTuning(ResNet(12, blocks=1, width=2), Training(8, 50, 0.01))),
        lambda: Joint(ResNet(12, blocks=1, width=2), Training(8, 50, 0.01), tasks=COLOURS),
        lambda: SI(ZenkeNet(12, width=2), Training(8, 50, 0.01)),
        lambda: SI(ZenkeNet(12, width=2), Training(8, 50, 0.01), one_adam=True),
    ],
    ids=[
        "HNET",
        "HNET from scratch",
        "FineTuning",
        "FineTuning from scratch",
        "Joint",
        "SI with dropout",
        "SI with one Adam",
    ],
)
def test_augmented_pictures_schedules_and_batch_norm_go_on_with_the_same_bits(
    make: Callable[[], Any], after: int, tmp_path: Path
) -> None:
    def seeded() -> Any:
        torch.manual_seed(0)
        return make()

    same_bits_after(after, seeded, tmp_path / "c", COLOURS)


def test_another_number_of_tasks_is_refused(tmp_path: Path, tasks: list[Task]) -> None:
    Checkpoint(tmp_path / "c", "run").task_done(learner(), done=1, rows=torch.zeros(1, 3, dtype=torch.float64))
    with pytest.raises(CheckpointError, match="of 3 tasks, not of 2"):
        learn_all(learner(), tasks[:2], checkpoint=Checkpoint(tmp_path / "c", "run"))


def test_a_job_that_another_process_has_finished_is_not_run_again(tmp_path: Path) -> None:
    job = Job("s-cl1-hnet", 0, "quick", folder=tmp_path)
    job.path.parent.mkdir(parents=True)
    job.path.write_text("theirs")
    assert attempt(job, math.inf).error == "" and job.path.read_text() == "theirs"


def test_a_resumed_job_has_the_threads_it_began_with_and_the_next_one_its_own(tmp_path: Path) -> None:
    job = Job("s-cl1-hnet", 0, "quick", {"optimization.iterations": 20}, folder=tmp_path)
    before, seen = torch.get_num_threads(), []
    try:
        torch.set_num_threads(1)
        with pytest.raises(OutOfTime):
            execute(job, deadline=0.0)
        torch.set_num_threads(2)
        outcome = attempt(job, math.inf, lambda job, done, matrix: seen.append(torch.get_num_threads()))
        assert not outcome.error and set(seen) == {1} and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_after_the_deadline_no_job_begins(tmp_path: Path) -> None:
    jobs = [Job("s-cl1-hnet", seed, "quick", folder=tmp_path) for seed in range(3)]
    outcomes = list(one_by_one(jobs, time.monotonic() - 1, lambda job, done, matrix: None))
    assert all(outcome.stopped for outcome in outcomes) and not list(tmp_path.iterdir())


def saved(path: Path) -> Path:
    Checkpoint(path, "run").save()
    return path


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda content: content[: len(content) // 2], "damaged"),
        (lambda content: content[:-1], "damaged"),
        (lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:], "damaged"),
        (lambda content: b"", "not a checkpoint"),
        (lambda content: b"PK\x03\x04 something else", "not a checkpoint"),
        (lambda content: content.replace(MAGIC.encode(), b"hnetlib checkpoint 9"), "not a checkpoint"),
    ],
)
def test_a_damaged_file_is_refused_by_name(damage: Callable[[bytes], bytes], why: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "seed-0.checkpoint")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=rf"seed-0\.checkpoint .*{why}"):
        Checkpoint(path, "run")


def test_the_file_of_another_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="belongs to another run: run, not other"):
        Checkpoint(saved(tmp_path / "c"), "other")


def test_nothing_loaded_can_execute_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "pwned",))

    checkpoint = Checkpoint(tmp_path / "c", "run")
    checkpoint.boundary = {"learner": Evil()}
    checkpoint.save()
    with pytest.raises(CheckpointError, match="more than data"):
        Checkpoint(tmp_path / "c", "run")
    assert not (tmp_path / "pwned").exists()


def test_a_run_stops_in_time_and_goes_on(tmp_path: Path) -> None:
    job = Job("s-cl1-hnet", 0, "quick", {"optimization.iterations": 60}, folder=tmp_path)
    with pytest.raises(OutOfTime, match=r"seed-0\.checkpoint"):
        execute(job, deadline=time.monotonic() + 0.2)
    assert job.checkpoint.exists() and not job.path.exists()
    execute(job)
    assert job.path.exists() and not job.checkpoint.exists()


def test_a_save_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "c")
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        Checkpoint(path, "run").save()
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["c"]
