"""Stores the times of a complete run, and prints them side by side."""

import json
import os
import platform
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from benchmarks.test_step import CASES
from hnetlib.experiments.record import RESULTS, provenance

STORED = RESULTS / "benchmarks" / "step.json"
QUICK = {("P10", 1), ("P10", 3), ("P100", 2)}
found = pytest.StashKey[list[dict[str, Any]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="a few tasks, one round each; nothing is stored")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("jaxtyping_packages", None):
        raise pytest.UsageError("The checks of shapes would be timed, too. Give pytest the option -o addopts= here.")
    config.stash[found] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("quick"):
        calls = [(item, getattr(item, "callspec", None)) for item in items]
        items[:] = [item for item, call in calls if not call or (call.params["sizes"], call.params["task"]) in QUICK]


@pytest.fixture
def cases(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return request.config.stash[found]


@pytest.fixture
def quick(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("quick"))


def cpu() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def store(cases: list[dict[str, Any]]) -> None:
    """There is never a half-written file."""
    STORED.parent.mkdir(parents=True, exist_ok=True)
    partial = STORED.with_suffix(f".partial-{os.getpid()}")
    text = json.dumps({"provenance": {**provenance(), "cpu": cpu()}, "cases": cases}, indent=1)
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(STORED)


def table(cases: list[dict[str, Any]]) -> Table:
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
    cases = session.config.stash[found]
    complete = exitstatus == 0 and len(cases) == len(CASES) and not session.config.getoption("quick")
    if complete:
        store(cases)
    if cases:
        Console().print("", table(cases), f"Stored in {STORED}." if complete else "Nothing is stored: a part only.")
