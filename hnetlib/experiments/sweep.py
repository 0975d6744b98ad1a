"""Many runs: in this process, in several local ones, or on a Ray cluster. A worker that dies is started again."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from hnetlib.errors import HnetError, OutOfTime
from hnetlib.experiments import record
from hnetlib.experiments.run import Job, execute

ATTEMPTS = 4  # a worker that dies this often is given up
STOPPED = 3  # exit status of a worker whose time was up
Progress = Callable[[Job, int, Tensor], None]


@dataclass(frozen=True)
class Outcome:
    """How a job ended: with a record, out of time (its checkpoint waits), or with an error."""

    job: Job
    error: str = ""
    stopped: bool = False


def attempt(job: Job, deadline: float | None, progress: Progress = lambda job, done, matrix: None) -> Outcome:
    """Run a job here."""
    if deadline is not None and time.monotonic() > deadline:
        return Outcome(job, "The time is up.", stopped=True)
    try:
        execute(job, deadline, lambda done, matrix: progress(job, done, matrix))
    except OutOfTime as error:
        return Outcome(job, str(error), stopped=True)
    except HnetError as error:
        return Outcome(job, str(error))
    return Outcome(job)


def outcomes(
    jobs: Iterable[Job], deadline: float | None, progress: Progress, workers: int = 1, address: str | None = None
) -> Iterator[Outcome]:
    """How jobs end: on the Ray cluster at `address` if there is one, in several processes here, or in this one."""
    if address:
        return on_ray(jobs, address, deadline)
    return in_processes(jobs, workers, deadline) if workers > 1 else one_by_one(jobs, deadline, progress)


def one_by_one(jobs: Iterable[Job], deadline: float | None, progress: Progress) -> Iterator[Outcome]:
    """In this process."""
    for job in jobs:
        yield attempt(job, deadline, progress)


def in_processes(jobs: Iterable[Job], workers: int, deadline: float | None) -> Iterator[Outcome]:
    """In as many processes as `workers`, each with its share of the processor's cores."""
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    environment = {"OMP_NUM_THREADS": threads, **os.environ}

    def supervise(job: Job) -> Outcome:
        """Run a job in a process of its own, again if it is killed."""
        command = [sys.executable, "-m", "hnetlib.experiments.sweep", to_json(job)]
        for _ in range(ATTEMPTS):
            left = "" if deadline is None else str(deadline - time.monotonic())
            run = subprocess.run([*command, left], env=environment, capture_output=True, text=True)
            if run.returncode >= 0 or run.returncode == -signal.SIGINT:  # it ended by itself, or was told to
                break
        said = run.stderr.strip().rpartition("\n")[2] or f"its worker died {ATTEMPTS} times"
        return Outcome(job, said if run.returncode else "", stopped=run.returncode == STOPPED)

    pool = ThreadPoolExecutor(workers)
    try:
        for future in as_completed([pool.submit(supervise, job) for job in jobs]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C no new worker starts


def on_ray(jobs: Iterable[Job], address: str, deadline: float | None) -> Iterator[Outcome]:
    """On the Ray cluster at `address`. Ray starts tasks of dead workers again; records come back to this machine.

    Checkpoints lie where the worker runs: on a folder that all machines share, they survive a machine's end.
    """
    try:
        import ray
    except ImportError as error:
        raise HnetError("--ray needs Ray: pip install 'hnetlib[ray]'.") from error
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    try:
        if colon:  # Ray itself would try for minutes
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(address=address, ignore_reinit_error=True, log_to_driver=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise HnetError(f"There is no Ray cluster at {address!r} ({' '.join(str(error).split())[:200]}).") from None
    until = None if deadline is None else time.time() + deadline - time.monotonic()  # the clock that machines share
    remote = ray.remote(max_retries=ATTEMPTS - 1)(elsewhere)
    waiting = [remote.remote(to_json(job), until) for job in jobs]
    while waiting:
        (ready,), waiting = ray.wait(waiting, num_returns=1)
        text, why, stopped, made = ray.get(ready)
        job = from_json(text)
        if made and not job.path.exists():
            record.write(record.Record.model_validate_json(made), job.path)
        yield Outcome(job, why, stopped)


def elsewhere(text: str, until: float | None) -> tuple[str, str, bool, str]:
    """A job on another machine: how it ended, and its record's text."""
    job = from_json(text)
    outcome = attempt(job, None if until is None else time.monotonic() + until - time.time())
    return text, outcome.error, outcome.stopped, "" if outcome.error else job.path.read_text(encoding="utf-8")


def to_json(job: Job) -> str:
    """A job as text."""
    return json.dumps(asdict(replace(job, folder=job.folder.absolute())), default=str)


def from_json(text: str) -> Job:
    """The job again."""
    data: dict[str, Any] = json.loads(text)
    return Job(**{**data, "folder": Path(data["folder"])})


if __name__ == "__main__":
    outcome = attempt(from_json(sys.argv[1]), time.monotonic() + float(sys.argv[2]) if sys.argv[2] else None)
    if outcome.error:
        print(outcome.error, file=sys.stderr)
    sys.exit(STOPPED if outcome.stopped else bool(outcome.error))
