"""A result is a record: one JSON file a run, with the numbers and where they come from."""

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ValidationError
from safetensors.torch import load as load_tensors
from safetensors.torch import save
from torch import Tensor

from hnetlib import metrics
from hnetlib.checkpoint import store
from hnetlib.errors import RecordError

PACKAGE = Path(__file__).parents[1]
REPOSITORY = PACKAGE.parent
# In a checkout, the project's own records; of an installed package, a folder where it is used.
RESULTS = REPOSITORY / "data" / "results" if (REPOSITORY / "pyproject.toml").exists() else Path("results")

Rows = list[list[float | None]]


class Strict(BaseModel, extra="forbid", allow_inf_nan=False):
    """Knows its fields, and no others; its numbers are numbers."""


class Provenance(Strict):
    """What a result depends on besides its configuration."""

    commit: str  # "+changes": the package's files were not those of the commit
    started: str  # UTC
    python: str
    torch: str
    device: str
    threads: int
    data_sha256: str | None = None  # of the data set's tensors
    wall_seconds: float  # of all sessions
    resumed: int  # how often the run went on from its checkpoint
    commits: list[str] = []  # of all sessions, where they are several


class Inferred(Strict):
    """Results with the task not given, after all tasks."""

    final: float  # task-averaged accuracy in percent
    accuracies: list[float]  # on each task
    task_inference: list[float]  # how often the right task was found, in percent


class Landscape(Strict):
    """Right answers over a square of two-dimensional embeddings, after all tasks.

    They are arrays beside the record: "task-0" is the first task's counts, int16, a row for each e_2 and a column for
    each e_1, both from -extent to extent.
    """

    extent: float
    embeddings: list[list[float]]  # of all tasks, in the end
    examples: dict[int, int]  # by task: how many test examples were asked, evenly spaced among all


class Record(Strict):
    """One run of one experiment with one seed."""

    schema_version: Literal[1, 2] = 2  # 2: landscape, judge, arrays
    experiment: str
    seed: int
    tier: Literal["quick", "reduced", "paper"]
    changed: dict[str, Any] = {}  # settings that differ from the experiment's own: --set key=value
    config: dict[str, Any]  # see hnetlib.experiments.config
    num_weights: dict[str, int]  # of the target network and of the hypernetwork with its embeddings
    metrics: dict[str, float]  # in percent; of the toy regression, a mean squared error
    matrix: Rows  # row: after which task; column: measured on which task; null: not measured
    inferred: dict[str, Inferred] = {}  # by method of inference: "entropy", or "inferred" by a classifier
    landscape: Landscape | None = None  # of runs with two-dimensional task embeddings that ask for one
    judge: float | None = None  # of generated pictures: accuracy on true pictures of the classifier that judges them
    arrays_sha256: str | None = None  # of the file of arrays beside the record, seed-N.safetensors, if it has one
    provenance: Provenance


@cache
def commit() -> str:
    """The commit that the package is at, with "+changes" where the package's files differ from it.

    Looked up once: a long process goes on with the code that it has loaded, whatever happens to the files.
    """

    def git(*arguments: str) -> str:
        """What git prints; nothing where there is no git, or no repository."""
        try:
            run = subprocess.run(["git", "-C", str(REPOSITORY), *arguments], capture_output=True, text=True)
        except OSError:
            return ""
        return run.stdout.strip()

    if not (REPOSITORY / ".git").exists():  # installed; a repository around it would be another one
        return "unknown"
    head = git("rev-parse", "HEAD") or "unknown"
    return head + ("+changes" if git("status", "--porcelain", "--", "hnetlib") else "")


@cache
def processor() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (named or [platform.processor() or platform.machine()])[0]


def provenance(device: torch.device | str = "cpu") -> dict[str, Any]:
    """Where and with what a run is made."""
    cuda = torch.device(device).type == "cuda"
    return {
        "commit": commit(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "torch": str(torch.__version__),  # its own type of string is not plain data
        "device": torch.cuda.get_device_name(device) if cuda else f"CPU ({processor()})",
        "threads": torch.get_num_threads(),
    }


def derived(matrix: Tensor, errors: bool = False) -> dict[str, float]:
    """The numbers that follow from an accuracy matrix, in percent; from one of errors, the largest in the end."""
    if errors:
        return {"worst_final": round(matrix[-1].max().item(), 6)}
    names = (metrics.during, metrics.final, metrics.forgetting, metrics.backward_transfer)
    return {measure.__name__: round(measure(matrix), 4) for measure in names}


def as_matrix(record: Mapping[str, Any]) -> Tensor:
    """The accuracy matrix of a record, NaN where nothing was measured."""
    values = [[float("nan") if v is None else v for v in row] for row in record["matrix"]]
    return torch.tensor(values, dtype=torch.float64)


def place(experiment: str, seed: int, tier: str = "paper", folder: Path = RESULTS) -> Path:
    """Where a record stands: FOLDER/EXPERIMENT/seed-N.json, those of a smaller tier in a folder of their own."""
    return folder / experiment / ("" if tier == "paper" else tier) / f"seed-{seed}.json"


def write(record: Record, path: Path) -> Path:
    """Store a record; there is never a half-written file."""
    return store(path, (json.dumps(record.model_dump(), indent=1) + "\n").encode())


def write_arrays(arrays: Mapping[str, Tensor], record_path: Path) -> str:
    """Store arrays beside the record that will stand at a path; returns the file's SHA-256."""
    content = save({name: array.cpu().contiguous() for name, array in arrays.items()})
    store(record_path.with_suffix(".safetensors"), content)
    return hashlib.sha256(content).hexdigest()


def arrays(run: Mapping[str, Any], folder: Path | None = None) -> dict[str, Tensor]:
    """The arrays beside a record.

    Raises:
        RecordError: it has none, or the file is missing, damaged, or not the one that the run wrote.
    """
    if run["arrays_sha256"] is None:
        raise RecordError(f"The record of {run['experiment']}, seed {run['seed']}, has no arrays.")
    path = place(run["experiment"], run["seed"], run["tier"], folder or RESULTS)
    return read_arrays(path.with_suffix(".safetensors"), run["arrays_sha256"])


def read_arrays(path: Path, sha256: str) -> dict[str, Tensor]:
    """The arrays in a file that has this SHA-256.

    Raises:
        RecordError: the file is missing, damaged, or another one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path} cannot be read ({error}).") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise RecordError(f"{path} is not the file that its record names: get it again from the repository.")
    return load_tensors(content)


def landscapes(run: Mapping[str, Any], folder: Path | None = None) -> dict[int, Tensor]:
    """A record's accuracies in percent over the plane of embeddings, by task.

    Raises:
        RecordError: it has none, or see `arrays`.
    """
    if run["landscape"] is None:
        raise RecordError(f"The record of {run['experiment']}, seed {run['seed']}, has no landscape.")
    counts = arrays(run, folder)
    return {t: counts[f"task-{t}"] / n * 100 for t, n in run["landscape"]["examples"].items()}


def load(path: Path) -> Record:
    """One record, validated.

    Raises:
        RecordError: the file is missing, damaged, or no record.
    """
    try:
        return Record.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} cannot be read ({error}).") from None
    except ValidationError as error:
        raise RecordError(f"{path} is not a record: {first_fault(error)}.") from None


def first_fault(error: ValidationError) -> str:
    """What pydantic found first, and in which field."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"


def paper(experiment: str, metric: str = "final") -> list[dict[str, Any]]:
    """What the paper (metric "released": its code) says of an experiment: rows with value, sem, n and where."""
    files = sorted((PACKAGE / "experiments" / "paper").glob("*.json"))
    rows = [row for path in files for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]
    return [row for row in rows if row["id"] == experiment and row.get("metric", "final") == metric]


def read(
    experiment: str, seed: int | None = None, folder: Path | None = None, tier: str = "paper"
) -> list[dict[str, Any]]:
    """All records of an experiment at a tier by seed, or one seed's; an empty list where there is none yet."""
    pattern = place(experiment, 0, tier, folder or RESULTS).with_name(f"seed-{'*' if seed is None else seed}.json")
    records = [load(path).model_dump() for path in pattern.parent.glob(pattern.name)]
    return sorted(records, key=lambda record: record["seed"])


def best(experiment: str, folder: Path | None = None) -> list[dict[str, Any]]:
    """The records of an experiment at the best tier that has any: the paper's, or else the reduced one."""
    for tier in ("paper", "reduced"):
        runs = [run for run in read(experiment, folder=folder, tier=tier) if not run["changed"]]
        if runs:
            return runs
    return []
