"""A temporary nbgrader course: the assignments' sources are copied into it, and nothing is written anywhere else."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

HERE = Path(__file__).parent
SOURCE = HERE / "source"
# What a kernel needs of the environment. Whatever else is there (keys, tokens) is not shown to a student's code.
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "OMP_NUM_THREADS", "HNETLIB_DATA")
MARK = "HNETLIB_GRADING"  # tells the processes that we started from others


class GradingError(Exception):
    """nbgrader could not do what it was asked; the message says why."""


@dataclass(frozen=True)
class Mark:
    """What one cell with points got."""

    cell: str
    points: float
    of: float
    by_hand: bool  # a person has to judge; the points are 0 until then


def names(source: Path = SOURCE) -> list[str]:
    """All assignments."""
    return sorted(path.parent.name for path in source.glob("*/*.ipynb"))


class Course:
    """An nbgrader course in a folder of its own.

    Args:
        root: the folder; it need not exist.
        timeout: seconds that one cell may run.
    """

    def __init__(self, root: Path, timeout: int = 60):
        self.root, self.timeout = root.resolve(), timeout
        self.root.mkdir(parents=True, exist_ok=True)

    def api(self) -> NbGraderAPI:
        """nbgrader with the settings of nbgrader_config.py."""
        config: Config = PyFileConfigLoader("nbgrader_config.py", path=str(HERE)).load_config()
        config.CourseDirectory.root = str(self.root)
        config.CourseDirectory.db_url = f"sqlite:///{self.root}/gradebook.db"
        config.Execute.timeout = self.timeout
        return NbGraderAPI(config=config)

    def release(self, name: str, source: Path = SOURCE) -> Path:
        """Make an assignment's release version: no solutions, no hidden tests.

        Raises:
            GradingError: the assignment does not exist, or its source is not as nbgrader wants it.
        """
        if not (source / name / f"{name}.ipynb").is_file():
            raise GradingError(f"There is no assignment {name!r}; there are {', '.join(names(source))}.")
        shutil.copytree(source / name, self.root / "source" / name, ignore=shutil.ignore_patterns(".*"))
        succeed(self.api().generate_assignment(name), f"the release version of {name}")
        return self.root / "release" / name / f"{name}.ipynb"

    def place(self, student: str, name: str) -> Path:
        """Where a student's notebook has to lie to be graded."""
        folder = self.root / "submitted" / student / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.ipynb"

    def autograde(self, student: str, name: str, limit: float) -> None:
        """Grade a notebook in a process of its own, which ends after `limit` seconds with all that it started.

        Raises:
            GradingError: it did not end well.
        """
        command = [sys.executable, __file__, str(self.root), student, name, str(self.timeout)]
        env = {key: value for key, value in os.environ.items() if key in KEPT or key.startswith("LC_")}
        with tempfile.TemporaryFile("w+") as log:  # not a pipe: what a student's code leaves running would hold it open
            process = subprocess.Popen(command, env={**env, MARK: str(self.root)}, stdout=log, stderr=log)
            try:
                failed = process.wait(limit)
            except subprocess.TimeoutExpired:
                raise GradingError(f"the whole notebook took more than {limit:g} s and was stopped") from None
            finally:
                end_all(str(self.root))
            log.seek(0)
            if failed:
                raise GradingError(reason(log.read()))

    def autograded(self, student: str, name: str) -> Path:
        """The notebook as it was graded: tests in their place, outputs of this machine."""
        return self.root / "autograded" / student / name / f"{name}.ipynb"

    def feedback(self, student: str, name: str) -> Path:
        """Write the page of feedback on a graded notebook.

        Raises:
            GradingError: nbgrader could not write it.
        """
        succeed(self.api().generate_feedback(name, student), f"the feedback on {name}")
        return self.root / "feedback" / student / name / f"{name}.html"

    def marks(self, student: str, name: str) -> list[Mark]:
        """Points by cell, in the order of the notebook; none at all where nothing was graded."""
        with Gradebook(f"sqlite:///{self.root}/gradebook.db") as book:
            try:
                grades = book.find_submission_notebook(name, name, student).grades
            except MissingEntry:
                return []
            return [Mark(g.name, g.score, g.max_score, g.cell.cell_type != "code") for g in grades]


def succeed(result: dict[str, object], what: str) -> None:
    """Raises GradingError where nbgrader says that it has failed."""
    if not result["success"]:
        raise GradingError(f"nbgrader could not make {what}: {reason(str(result.get('log')))}")


def reason(log: str) -> str:
    """The last line of a log that says what was wrong, without nbgrader's own advice to look at the log."""
    lines = [line.strip() for line in log.splitlines() if "Error" in line and "error log" not in line]
    return lines[-1] if lines else "nbgrader gave no reason"


def end_all(root: str) -> None:
    """End every process that grading in this folder has started: kernels outlive their parents, and so on."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == root:
                process.kill()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def main(root: str, student: str, name: str, timeout: str) -> None:
    """The process of `Course.autograde`."""
    result = Course(Path(root), int(timeout)).api().autograde(name, student)
    print(result.get("log"), result.get("error", ""), sep="\n")
    sys.exit(not result["success"])


if __name__ == "__main__":
    main(*sys.argv[1:])
