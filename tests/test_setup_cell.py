"""The cell that installs the package on Colab: in every notebook, and in an environment that lacks the package."""

import json
import os
import shutil
import subprocess
import sysconfig
import textwrap
import venv
from pathlib import Path

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from setup_cell import NAME, SOURCE, with_setup

ROOT = Path(__file__).parents[1]

NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))

# Stands in for IPython in the fresh environment, which has only Python: the same three commands, carried out plainly.
SHELL = """
import os, shlex, subprocess, sys

sys.path.insert(0, "")  # as in a kernel

class Shell:
    def system(self, command):
        subprocess.run(command, shell=True, check=True)

    def run_line_magic(self, name, line):
        words = shlex.split(line)
        if name == "cd":
            os.chdir(words[-1])
        else:
            subprocess.run([sys.executable, "-m", name, *words], check=True)

get_ipython = Shell
"""
# `fetched` is where the package lies, `records` how many records of one experiment are there, `quiz` whether a chapter
# finds its questions.
LOOK = """
import hnetlib
from hnetlib.experiments import record
print("fetched", hnetlib.__file__)
print("records", len(record.best("p10-cl1-hnet")))
print("quiz", os.path.exists("quizzes/01_hypernetworks.json"))
"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_begins_with_it_and_it_is_up_to_date(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert [cell["id"] for cell in notebook["cells"]].count(NAME) == 1
    again = with_setup(json.loads(path.read_text(encoding="utf-8")))
    assert again == notebook, "run `python book/_ext/setup_cell.py book/*.ipynb`"


def test_where_the_package_is_it_does_nothing() -> None:
    calls: list[str] = []
    exec(TransformerManager().transform_cell(SOURCE), {"get_ipython": lambda: calls.append("asked")})
    assert calls == []


def fresh(folder: Path) -> Path:
    """The Python of a new environment that finds the dependencies of this one, but not the package itself."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    ask = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip())
    for old in packages.glob("setuptools*"):  # that of this environment is new enough to build the package
        shutil.rmtree(old)
    # A folder named in a .pth file is searched, but its own .pth files, by which we are installed, are not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="This is no git checkout.")
def test_it_fetches_and_installs_the_package_in_a_fresh_environment(tmp_path: Path) -> None:
    """As on Colab, but the clone comes from this checkout, and the dependencies are there already."""
    python = fresh(tmp_path / "venv")
    cell = TransformerManager().transform_cell(SOURCE)
    (tmp_path / "cell.py").write_text(textwrap.dedent(SHELL) + cell + LOOK)
    here = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{ROOT}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/hnetlib/hnetlib-book",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # which means, for pip: build with the setuptools that is there
    }
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [python, "cell.py"], cwd=tmp_path, env=kept | here, capture_output=True, text=True, timeout=240
    )
    assert ran.returncode == 0, ran.stderr
    said = dict(line.split(" ", 1) for line in ran.stdout.splitlines() if " " in line)
    assert Path(said["fetched"]).is_relative_to(tmp_path / "hnetlib-book")
    assert list((tmp_path / "venv").rglob("site-packages/hnetlib/__init__.py")), "pip has installed it as well"
    assert int(said["records"]) >= 1
    assert said["quiz"] == "True"
