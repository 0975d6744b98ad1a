"""Peak memory of a contestant: `python -m benchmarks.memory P100 100 ours`, in a process of its own."""

import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.steps import set_up


def peak_mb() -> float:
    """The most memory that this process has had at a time, in megabytes."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux ru_maxrss also counts the process that started this one
        fields = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def measure(sizes: str, task: int, contestant: str) -> float:
    """Start the process, and wait for its answer."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.memory", sizes, str(task), contestant]
    run = subprocess.run(command, cwd=Path(__file__).parents[1], check=True, stdout=subprocess.PIPE, text=True)
    return float(run.stdout)


if __name__ == "__main__":
    step = set_up(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    step()
    step()
    print(peak_mb())
