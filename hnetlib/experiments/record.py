"""A result is a record: one JSON file a run, with the numbers and where they come from."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hnetlib import metrics

REPOSITORY = Path(__file__).parents[2]
RESULTS = REPOSITORY / "data" / "results"


@cache
def commit() -> str:
    """The commit that the package is at, with "+changes" where the package's files differ from it.

    Looked up once: a long process goes on with the code that it has loaded, whatever happens to the files.
    """

    def git(*arguments: str) -> str:
        run = subprocess.run(["git", "-C", REPOSITORY, *arguments], capture_output=True, text=True)
        return run.stdout.strip()

    head = git("rev-parse", "HEAD") or "unknown"
    return head + ("+changes" if git("status", "--porcelain", "--", "hnetlib") else "")


def provenance(device: torch.device | str = "cpu") -> dict[str, Any]:
    """What a result depends on besides its configuration."""
    cuda = torch.device(device).type == "cuda"
    return {
        "commit": commit(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if cuda else "CPU",
        "threads": torch.get_num_threads(),
    }


def derived(matrix: Tensor) -> dict[str, float]:
    """The numbers that follow from an accuracy matrix, in percent."""
    names = (metrics.during, metrics.final, metrics.forgetting, metrics.backward_transfer)
    return {measure.__name__: round(measure(matrix), 4) for measure in names}


def rows(matrix: Tensor, digits: int = 4) -> list[list[float | None]]:
    """A matrix as JSON: lists, with null where nothing was measured."""
    return [[None if value != value else round(value, digits) for value in row] for row in matrix.tolist()]


def as_matrix(record: Mapping[str, Any]) -> Tensor:
    """The accuracy matrix of a record, NaN where nothing was measured."""
    values = [[float("nan") if v is None else v for v in row] for row in record["matrix"]]
    return torch.tensor(values, dtype=torch.float64)


def write(record: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """Store a record as FOLDER/EXPERIMENT/seed-N.json; there is never a half-written file."""
    path = folder / record["experiment"] / f"seed-{record['seed']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".partial-{os.getpid()}")
    try:
        partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def paper(experiment: str, metric: str = "final") -> list[dict[str, Any]]:
    """What the paper (metric "released": its code) says of an experiment: rows with value, sem, n and where."""
    files = sorted((REPOSITORY / "data" / "paper").glob("*.json"))
    rows = [row for path in files for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]
    return [row for row in rows if row["id"] == experiment and row.get("metric", "final") == metric]


def read(experiment: str, seed: int | None = None, folder: Path = RESULTS) -> list[dict[str, Any]]:
    """All records of an experiment by seed, or one seed's; an empty list where there is none yet."""
    pattern = f"seed-{'*' if seed is None else seed}.json"
    records = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / experiment).glob(pattern)]
    return sorted(records, key=lambda record: record["seed"])
