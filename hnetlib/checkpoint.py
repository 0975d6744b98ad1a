"""Go on where a killed run stopped: one file a run, replaced as a whole, that holds no code."""

import copy
import hashlib
import io
import math
import os
import pickle
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from hnetlib.errors import CheckpointError, OutOfTime

MAGIC = "hnetlib checkpoint 1"


@runtime_checkable
class Stateful(Protocol):
    """A module, an optimizer, a learner: what can say how it stands, and be put back there."""

    def state_dict(self) -> dict[str, Any]:
        """How it stands, as plain data and tensors."""
        ...

    def load_state_dict(self, state_dict: Any) -> Any:
        """Stand like that again."""
        ...


@contextmanager
def all_or_nothing(*things: Stateful) -> Iterator[None]:
    """Put things back as they were if what is done with them does not end well (Ctrl-C, too)."""
    before = copy.deepcopy([thing.state_dict() for thing in things])
    try:
        yield
    except BaseException:
        for thing, state in zip(things, before, strict=True):
            thing.load_state_dict(state)
        raise


def store(path: Path, *parts: bytes | memoryview) -> Path:
    """Write a file as a whole: the old one stays, or the new one is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    try:
        with partial.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


class Checkpoint:
    """Where a run stands: after its last finished task, and inside the task that it is learning.

    `learn_all(learner, tasks, checkpoint=Checkpoint(path, key))` is all it takes. A task is learned in one or more
    stages, each a call of `hnetlib.learner.train`; what a stage trains is saved with the random numbers' state,
    so that a run that is killed and started again ends with the same bits (on the same machine).

    Args:
        path: the file; a run that finds it goes on from it.
        key: says which run it is, so that no run goes on from another one's file.
        every: seconds between two saves inside a task.
        deadline: stop with `OutOfTime` at this `time.monotonic()`, after a last save.
        origin: what to note of this session of the run, strings and numbers.

    Raises:
        CheckpointError: the file is damaged, or of another run.
    """

    def __init__(self, path: Path, key: str, every: float = 180.0, deadline: float = math.inf, **origin: Any):
        self.path, self.key, self.every, self.deadline = path, key, every, deadline
        self.sessions: list[dict[str, Any]] = []  # what the run has been, from its start to each kill
        self.boundary: dict[str, Any] = {}  # after the last finished task
        self.stages: list[dict[str, Any]] = []  # of the task being learned: those finished, and perhaps one under way
        if path.exists():
            saved = self.read()
            self.boundary, self.stages, self.sessions = saved["boundary"], saved["stages"], saved["sessions"]
        self.sessions.append({**origin, "seconds": 0.0})
        self.entered, self.started, self.saved_at = 0, time.monotonic(), time.monotonic()

    def read(self) -> dict[str, Any]:
        """The content of the file, checked."""
        head, _, body = self.path.read_bytes().partition(b"\n")
        words = head.decode("utf-8", "replace").rsplit(" ", 1)
        if words[0] != MAGIC:
            raise CheckpointError(f"{self.path} is not a checkpoint of hnetlib. Move it away to start afresh.")
        if words[-1] != hashlib.sha256(body).hexdigest():
            raise CheckpointError(f"{self.path} is damaged: its checksum does not match. Delete it to start afresh.")
        try:
            saved = torch.load(io.BytesIO(body), weights_only=True)
        except pickle.UnpicklingError as error:
            raise CheckpointError(f"{self.path} holds more than data, and was not opened. Delete it.") from error
        except RuntimeError as error:
            raise CheckpointError(f"{self.path} cannot be opened on this machine: was it made on a GPU?") from error
        if saved["key"] != self.key:
            raise CheckpointError(f"{self.path} belongs to another run: {saved['key']}, not {self.key}. Move it away.")
        return saved

    def save(self) -> None:
        """Write everything; there is never a half-written file in its place."""
        content = io.BytesIO()
        self.elapsed()
        names = ("key", "boundary", "stages", "sessions")
        torch.save({name: getattr(self, name) for name in names}, content)
        digest = hashlib.sha256(content.getbuffer()).hexdigest()
        store(self.path, f"{MAGIC} {digest}\n".encode(), content.getbuffer())
        self.saved_at = time.monotonic()

    def elapsed(self) -> float:
        """Seconds that the run has taken so far, in all its sessions."""
        self.sessions[-1]["seconds"] = time.monotonic() - self.started
        return sum(session["seconds"] for session in self.sessions)

    # -- between tasks

    def task_done(self, learner: Stateful, **results: Any) -> None:
        """A task is learned and measured: nothing of its stages is needed any more."""
        self.boundary = copy.deepcopy({"learner": learner.state_dict(), "random": random_state(), **results})
        self.stages, self.entered = [], 0
        self.save()
        self.stop_in_time()

    def restore(self, learner: Stateful) -> dict[str, Any]:
        """Put a new learner where the last finished task left the old one; returns the results so far."""
        if self.boundary:
            learner.load_state_dict(copy.deepcopy(self.boundary["learner"]))
            set_random_state(self.boundary["random"])
        self.entered = 0
        return self.boundary

    # -- inside a task

    def enter(self, trained: Mapping[str, Stateful]) -> int:
        """A stage begins: put what it trains where it was; returns how many iterations it has behind it."""
        self.entered += 1
        if self.entered > len(self.stages):
            self.stages.append({"iteration": 0})
            return 0
        stage = self.stages[self.entered - 1]
        if stage["iteration"]:
            for name, thing in trained.items():
                thing.load_state_dict(copy.deepcopy(stage["trained"][name]))
            set_random_state(stage["random"])
        return stage["iteration"]

    def tick(self, iteration: int, trained: Mapping[str, Stateful], last: bool) -> None:
        """An iteration is done; save if it is time to."""
        due = time.monotonic() - self.saved_at > self.every
        late = time.monotonic() > self.deadline
        if due or late or last:
            now = {name: thing.state_dict() for name, thing in trained.items()}
            self.stages[self.entered - 1] = copy.deepcopy(
                {"iteration": iteration, "trained": now, "random": random_state()}
            )
        if due or late:
            self.save()
        if late:
            self.stop_in_time()

    def stop_in_time(self) -> None:
        """Raise once the deadline has passed."""
        if time.monotonic() > self.deadline:
            raise OutOfTime(f"The time is up; {self.path} has all that was done.")

    # -- the one in force

    def __enter__(self) -> "Checkpoint":
        self.token: Token = CURRENT.set(self)
        return self

    def __exit__(self, *exception: object) -> None:
        CURRENT.reset(self.token)


CURRENT: ContextVar[Checkpoint | None] = ContextVar("CURRENT", default=None)


def random_state() -> dict[str, Any]:
    """The state of PyTorch's random numbers, on every device."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


def set_random_state(state: Mapping[str, Any]) -> None:
    """Go on with the random numbers from there."""
    torch.set_rng_state(state["cpu"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
