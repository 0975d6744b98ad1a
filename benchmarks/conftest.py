"""Stores the times of a complete run, and prints them side by side."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from benchmarks import test_inference, test_step
from hnetlib import checkpoint
from hnetlib.experiments.record import RESULTS, processor, provenance

STORED = RESULTS / "benchmarks"
EXPECTED = {"step": len(test_step.CASES), "inference": len(test_inference.CASES)}
QUICK = {("P10", 1), ("P10", 3), ("P100", 2)}
found = pytest.StashKey[dict[str, list[dict[str, Any]]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="a few tasks, one round each; nothing is stored")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("jaxtyping_packages", None):
        raise pytest.UsageError("The checks of shapes would be timed, too. Give pytest the option -o addopts= here.")
    nothing: dict[str, list[dict[str, Any]]] = {name: [] for name in EXPECTED}
    config.stash[found] = nothing


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("quick"):
        given = [(item, item.callspec.params if hasattr(item, "callspec") else {}) for item in items]
        items[:] = [i for i, about in given if "task" not in about or (about["sizes"], about["task"]) in QUICK]


@pytest.fixture
def cases(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return request.config.stash[found][request.path.stem.removeprefix("test_")]


@pytest.fixture
def quick(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("quick"))


def store(name: str, cases: list[dict[str, Any]]) -> Path:
    """There is never a half-written file."""
    text = json.dumps({"provenance": {**provenance(), "cpu": processor()}, "cases": cases}, indent=1)
    return checkpoint.store(STORED / f"{name}.json", (text + "\n").encode())


def inference_table(cases: list[dict[str, Any]]) -> Table:
    """One row a case; the ratio is that of the medians for the same batch."""
    shown = Table("sizes", "batch", "contestant", "ms", "loop / it", title="The networks of ten tasks")
    median = {(c["sizes"], c["batch"], c["contestant"]): c["median_ms"] for c in cases}
    for c in cases:
        loop = median.get((c["sizes"], c["batch"], "loop"))
        ratio = f"{loop / c['median_ms']:.2f}" if loop else ""
        shown.add_row(c["sizes"], str(c["batch"]), c["contestant"], f"{c['median_ms']:.2f}", ratio)
    return shown


def step_table(cases: list[dict[str, Any]]) -> Table:
    """One row a case; a ratio is that of the medians at the same task."""
    columns = "sizes", "task", "contestant", "ms", "peak MB", "x bare", "peer-lookahead / it"
    shown = Table(*columns, title="One training step")
    median = {(c["sizes"], c["task"], c["contestant"]): c["median_ms"] for c in cases}
    for c in cases:
        base, other = (median.get((c["sizes"], c["task"], who)) for who in ("bare", "peer-lookahead"))
        ms = c["median_ms"]
        ratios = f"{ms / base:.2f}" if base else "", f"{other / ms:.2f}" if other else ""
        shown.add_row(c["sizes"], str(c["task"]), c["contestant"], f"{ms:.1f}", f"{c['peak_mb']:.0f}", *ratios)
    return shown


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    tables = {"step": step_table, "inference": inference_table}
    for name, cases in session.config.stash[found].items():
        whole = exitstatus == 0 and len(cases) == EXPECTED[name] and not session.config.getoption("quick")
        said = f"Stored in {store(name, cases)}." if whole else "Nothing is stored: a part only."
        if cases:
            Console().print("", tables[name](cases), said)
