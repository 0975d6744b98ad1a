"""Grade a folder of notebooks.

    python book/assignments/grade.py SUBMISSIONS [--out FOLDER] [--timeout 60]

Writes grades.csv (a line for each notebook), steps.csv (a line for each cell with points) and a page of feedback
for each notebook. A student's code runs here, in the account of whoever grades: where you do not trust it, grade in
a container.
"""

import argparse
import csv
import logging
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from course import SOURCE, Course, GradingError, Mark, names
from guards import guarded, hide_tests, unguarded
from submissions import Submission, SubmissionError, find, merge, read


@dataclass
class Result:
    """What became of one file."""

    submission: Submission
    marks: list[Mark] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    feedback: str = ""  # HTML

    @property
    def points(self) -> float:
        """Points that were given automatically."""
        return sum(mark.points for mark in self.marks if not mark.by_hand)

    @property
    def automatic(self) -> float:
        """Points that could be given automatically."""
        return sum(mark.of for mark in self.marks if not mark.by_hand)

    @property
    def by_hand(self) -> float:
        """Points for answers that a person has yet to judge."""
        return sum(mark.of for mark in self.marks if mark.by_hand)


@dataclass
class Grader:
    """Grades one file after the other in a temporary course."""

    course: Course
    limit: float  # seconds for a whole notebook
    source: Path = SOURCE  # where the assignments are

    def __post_init__(self) -> None:
        self.released: dict[str, Path] = {}

    def grade(self, submission: Submission, student: str) -> Result:
        """Grade a file. Nothing that a file can be makes this raise; it is said in the remarks.

        Args:
            student: a name for the course, that cannot hurt as a part of a path.
        """
        result = Result(submission)
        try:
            self.try_to(submission, student, result)
        except Exception as error:  # one strange file must not cost the others their marks
            known = isinstance(error, SubmissionError | GradingError)
            result.remarks.append(f"0 points: {error if known else repr(error)}")
            result.marks = self.nothing(submission.assignment)
        return result

    def nothing(self, assignment: str) -> list[Mark]:
        """No points for any of an assignment's cells."""
        if not assignment:
            return []
        cells = nbformat.read(self.release(assignment), as_version=4).cells
        worth = [(cell.metadata.nbgrader, cell.cell_type) for cell in cells if cell.metadata.nbgrader.grade]
        return [Mark(about.grade_id, 0.0, float(about.points), kind != "code") for about, kind in worth]

    def release(self, assignment: str) -> Path:
        """The release version, made when it is first needed."""
        if assignment not in self.released:
            self.released[assignment] = self.course.release(assignment, self.source)
        return self.released[assignment]

    def try_to(self, submission: Submission, student: str, result: Result) -> None:
        """Fill in the result."""
        name = submission.assignment
        if not name:
            raise SubmissionError(
                f"there is no such assignment; the file's name must contain {', '.join(names(self.source))}"
            )
        notebook, result.remarks = merge(read(submission.path), nbformat.read(self.release(name), as_version=4))
        nbformat.write(guarded(notebook), self.course.place(student, name))
        self.course.autograde(student, name, self.limit)
        graded = self.course.autograded(student, name)
        notebook, found = unguarded(nbformat.read(graded, as_version=4), self.course.timeout)
        result.remarks += found.remarks
        nbformat.write(hide_tests(notebook), graded)
        result.feedback = self.course.feedback(student, name).read_text(encoding="utf-8")
        if found.tampered:
            raise SubmissionError("what the tests rely on was tampered with: look at the notebook")
        result.marks = self.course.marks(student, name)


def grade(folder: Path, out: Path, timeout: int = 60, limit: float = 600, source: Path = SOURCE) -> list[Result]:
    """Grade everything below a folder and write the results.

    Raises:
        SubmissionError: there is no such folder, or no notebook in it.
    """
    if not folder.is_dir():
        raise SubmissionError(f"There is no folder {folder}.")
    submissions = find(folder, names(source))
    if not submissions:
        raise SubmissionError(f"There is no notebook in {folder}.")
    results = []
    with TemporaryDirectory() as root:
        grader = Grader(Course(Path(root), timeout), limit, source)
        for i, submission in enumerate(submissions, start=1):
            result = grader.grade(submission, f"student-{i}")
            results.append(result)
            print(f"{i}/{len(submissions)} {describe(result)}", flush=True)
            write_feedback(result, folder, out)
            write_tables(results, out)  # again and again: Ctrl-C leaves what was done
    return results


def describe(result: Result) -> str:
    """A line for the terminal."""
    remarks = "".join(f"; {remark}" for remark in result.remarks)
    what = result.submission
    return f"{what.student}, {what.assignment or what.path.name}: {result.points:g} of {result.automatic:g}{remarks}"


def write_feedback(result: Result, folder: Path, out: Path) -> None:
    """The page of feedback, under the same name as the file that was handed in."""
    if result.feedback:
        page = (out / "feedback" / result.submission.path.relative_to(folder)).with_suffix(".html")
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(result.feedback, encoding="utf-8")


def write_tables(results: list[Result], out: Path) -> None:
    """grades.csv and steps.csv."""
    out.mkdir(parents=True, exist_ok=True)
    grades = [("student", "assignment", "points", "of", "by hand", "remarks", "file")]
    steps = [("student", "assignment", "cell", "points", "of")]
    for result in results:
        what = result.submission
        student, numbers = safe(what.student), (f"{result.points:g}", f"{result.automatic:g}", f"{result.by_hand:g}")
        grades.append((student, what.assignment, *numbers, safe("; ".join(result.remarks)), safe(what.path.name)))
        for mark in result.marks:
            points = "" if mark.by_hand else f"{mark.points:g}"
            steps.append((student, what.assignment, mark.cell, points, f"{mark.of:g}"))
    for name, rows in (("grades.csv", grades), ("steps.csv", steps)):
        with (out / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)


def safe(text: str) -> str:
    """A cell that a spreadsheet will not take for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Grade a folder of notebooks.")
    parser.add_argument("submissions", type=Path, help="STUDENT/ASSIGNMENT.ipynb or STUDENT_ASSIGNMENT.ipynb")
    parser.add_argument("--out", type=Path, default=Path("_build/grades"), help="where the results go")
    parser.add_argument(
        "--timeout", type=int, default=60, help="seconds for one cell; a notebook gets ten times as many"
    )
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    try:
        grade(given.submissions, given.out, given.timeout, 10 * given.timeout)
    except (SubmissionError, GradingError) as error:
        sys.exit(str(error))
    print(f"{given.out}/grades.csv, {given.out}/steps.csv; feedback in {given.out}/feedback")


if __name__ == "__main__":
    main()
