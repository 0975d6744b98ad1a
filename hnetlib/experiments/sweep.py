"""Many runs: in this process, in several local ones, or on a Ray cluster. A worker that dies is started again."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

import torch
from pydantic import TypeAdapter
from torch import Tensor

from hnetlib.checkpoint import store
from hnetlib.errors import HnetError, OutOfTime
from hnetlib.experiments.run import Job, execute

ATTEMPTS = 4  # a worker that dies this often is given up
STOPPED = 3  # exit status of a worker whose time was up
JOBS = TypeAdapter(Job)  # a job <-> JSON
Progress = Callable[[Job, int, Tensor], None]


@dataclass(frozen=True)
class Outcome:
    """How a job ended: with a record, out of time (its checkpoint waits), or with an error."""

    job: Job
    error: str = ""
    stopped: bool = False


def attempt(job: Job, deadline: float, progress: Progress = lambda job, done, matrix: None) -> Outcome:
    """Run a job here, unless another process has finished it meanwhile."""
    if job.path.exists():
        return Outcome(job)
    if time.monotonic() > deadline:
        return Outcome(job, "The time is up.", stopped=True)
    threads = torch.get_num_threads()
    try:
        execute(job, deadline, lambda done, matrix: progress(job, done, matrix))
    except OutOfTime as error:
        return Outcome(job, str(error), stopped=True)
    except HnetError as error:
        return Outcome(job, str(error))
    finally:
        torch.set_num_threads(threads)  # a job that goes on has those that it began with
    return Outcome(job)


def outcomes(
    jobs: Iterable[Job], deadline: float, progress: Progress, workers: int = 1, address: str | None = None
) -> Iterator[Outcome]:
    """How jobs end: on the Ray cluster at `address` if there is one, in several processes here, or in this one."""
    if address:
        return on_ray(jobs, address, deadline)
    return in_processes(jobs, workers, deadline) if workers > 1 else one_by_one(jobs, deadline, progress)


def one_by_one(jobs: Iterable[Job], deadline: float, progress: Progress) -> Iterator[Outcome]:
    """In this process."""
    for job in jobs:
        yield attempt(job, deadline, progress)


def in_processes(jobs: Iterable[Job], workers: int, deadline: float) -> Iterator[Outcome]:
    """In as many processes as `workers`, each with its share of the processor's cores."""
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    environment = {"OMP_NUM_THREADS": threads, **os.environ}

    def supervise(job: Job) -> Outcome:
        """Run a job in a process of its own, again if it is killed."""
        command = [sys.executable, "-m", "hnetlib.experiments.sweep", JOBS.dump_json(absolute(job)).decode()]
        for _ in range(ATTEMPTS):
            run = subprocess.run(
                [*command, str(deadline - time.monotonic())], env=environment, capture_output=True, text=True
            )
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


def on_ray(jobs: Iterable[Job], address: str, deadline: float) -> Iterator[Outcome]:
    """On the Ray cluster at `address`. Ray starts tasks of dead workers again; records and arrays come back.

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
    until = time.time() + deadline - time.monotonic()  # the clock that machines share
    remote = ray.remote(max_retries=ATTEMPTS - 1)(elsewhere)
    waiting = {remote.remote(absolute(job), until): job for job in jobs}
    while waiting:
        (ready,), _ = ray.wait(list(waiting), num_returns=1)
        job = waiting.pop(ready)
        try:
            outcome, made = ray.get(ready)
        except ray.exceptions.RayError as error:
            yield Outcome(job, " ".join(str(error).split())[:200])
            continue
        for ending, content in made.items() if not job.path.exists() else ():
            store(job.path.with_suffix(ending), content)
        yield outcome


def elsewhere(job: Job, until: float) -> tuple[Outcome, dict[str, bytes]]:
    """A job on another machine: how it ended, and the files that it made, by their endings."""
    outcome = attempt(job, time.monotonic() + until - time.time())
    made = [path for e in (".safetensors", ".json") if (path := job.path.with_suffix(e)).exists()]
    return outcome, {} if outcome.error else {path.suffix: path.read_bytes() for path in made}


def absolute(job: Job) -> Job:
    """The same job for a process that may run elsewhere."""
    return replace(job, folder=job.folder.absolute())


if __name__ == "__main__":
    job = JOBS.validate_json(sys.argv[1])
    outcome = attempt(job, time.monotonic() + float(sys.argv[2]))
    if outcome.error:
        print(outcome.error, file=sys.stderr)
    sys.exit(STOPPED if outcome.stopped else bool(outcome.error))
