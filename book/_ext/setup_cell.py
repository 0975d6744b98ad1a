"""Give notebooks the cell that installs the package where it is missing, as on Colab.

    python book/_ext/setup_cell.py NOTEBOOK [NOTEBOOK ...]

The cell comes second, after the title, and is kept off the site. Where it stands already it is brought up to date, and
a notebook that has it is written again byte for byte.
"""

import sys
from typing import Any

from normalise import rewrite

NAME = "setup"
# The book is cloned, and not only installed, because its chapters read the records in data/results: the package is the
# clone's, imported where it lies. Quizzes are found from the folder of the notebooks, so that is where it ends.
SOURCE = """\
# Where hnetlib is missing, as on Colab: fetch the book and install its package.
from importlib.util import find_spec

if find_spec("hnetlib") is None:
    !git clone -q --depth 1 https://github.com/hnetlib/hnetlib-book
    %cd -q hnetlib-book
    %pip install -q ".[plots,run,widgets]"
    import hnetlib  # noqa: F401

    %cd -q book
"""


def with_setup(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook (nbformat 4, changed in place) with the cell; stored outputs stay, and cells are counted anew."""
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": NAME,
        "metadata": {"tags": ["remove-cell"]},
        "outputs": [],
        "source": SOURCE.rstrip("\n").splitlines(keepends=True),
    }
    others = [other for other in notebook["cells"] if other.get("id") != NAME]
    notebook["cells"] = [others[0], cell, *others[1:]]
    code = (one for one in notebook["cells"] if one["cell_type"] == "code")
    for number, one in enumerate(code, start=1):
        for holder in (one, *one["outputs"]):
            if "execution_count" in holder:
                holder["execution_count"] = number
    return notebook


if __name__ == "__main__":
    rewrite(sys.argv[1:], with_setup)
