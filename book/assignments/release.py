"""Write the release versions of the assignments: no solutions, no hidden tests.

python book/assignments/release.py FOLDER
"""

import argparse
import logging
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from course import SOURCE, Course, names


def release(folder: Path, source: Path = SOURCE) -> list[Path]:
    """The release version of every assignment, as FOLDER/NAME.ipynb. What else lies there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with TemporaryDirectory() as root:
        course = Course(Path(root))
        return [Path(shutil.copy(course.release(name, source), folder)) for name in names(source)]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write the release versions of all assignments.")
    parser.add_argument("folder", type=Path, help="where they go; what lies there is removed")
    logging.disable(logging.WARNING)
    for path in release(parser.parse_args().folder):
        print(path)


if __name__ == "__main__":
    main()
