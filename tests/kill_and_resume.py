"""Kill real runs with SIGKILL at random moments, start them again, and compare: `python kill_and_resume.py FOLDER`.

Each run is a forked process, so that everything is imported only once. Prints how many records were identical.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import sklearn.datasets  # noqa: F401 - imported when digits are loaded, and here so that forks need not
import torch
import torch._dynamo

from hnetlib.experiments import record
from hnetlib.experiments.run import Job, execute

# One run draws random tasks at every step: its random numbers must go on, too.
NAMES = ("s-cl1-hnet", "p250-cl1-hnet")
KILLS = 10  # of each


def start(job: Job) -> int:
    """Run a job in a process of its own; returns its id."""
    child = os.fork()
    if child:
        return child
    torch.set_num_threads(1)
    execute(job)
    os._exit(0)


def content(job: Job) -> dict:
    return record.load(job.path).model_dump(exclude={"provenance"})


def main(folder: Path) -> None:
    chance, same, resumed = random.Random(0), 0, 0
    for name in NAMES:
        alone = Job(name, 0, "quick", {"optimization.iterations": 30}, folder=folder / "alone", every=0.1)
        began = time.monotonic()
        os.waitpid(start(alone), 0)
        seconds = time.monotonic() - began
        for i in range(KILLS):
            job = Job(name, 0, "quick", alone.changed, folder=folder / str(i), every=0.1)
            child = start(job)
            time.sleep(chance.uniform(0.05, 0.95) * seconds)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            if not job.path.exists():
                os.waitpid(start(job), 0)
            same += content(job) == content(alone)
            resumed += record.load(job.path).provenance.resumed
    print(f"{same} of {len(NAMES) * KILLS} identical, {resumed} went on from a checkpoint")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
