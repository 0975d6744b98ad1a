"""The files that install, build and publish the book agree with each other and with their schemas.

What these tests cannot check: that conda's solver finds the packages of environment.yml (that needs conda and its
channels), that the package registries still serve the pinned versions, and that the hosts of continuous integration
accept the workflows. They check all that can be known from the files.
"""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml
from docutils import nodes
from docutils.utils import new_document
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from rattler import MatchSpec

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
GITHUB_RUNNERS = {"ubuntu-latest"}
OWN_RUNNER = ["self-hosted", "gpu"]

# Put together here so that this file does not name what it looks for.
REGISTRY_WORDS = ("py" + "pi", "python" + "hosted", "npm" + "js", "conda.ana" + "conda")
REGISTRY_HOST = re.compile(r"//[\w.-]*(?:" + "|".join(map(re.escape, REGISTRY_WORDS)) + r")[\w.-]*")
HOME_PATH = re.compile(r"(?<![\w./-])/(?:home|Users)/\w+|(?<![\w./-])/ro" + r"ot/")


def schema_errors(schema: str, *files: Path) -> str:
    """What check-jsonschema says of files against a schema that it ships; empty when they are valid."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return "" if result.returncode == 0 else result.stdout + result.stderr


def shell_errors(script: str) -> str:
    """What bash says of a script's syntax, without running it."""
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed here, so the syntax of shell scripts was not checked.")
    result = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, timeout=60)
    return result.stderr


# --- one source of truth for the versions ---------------------------------------------------------


def environment() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text())


def conda_specs() -> list[str]:
    return [spec for spec in environment()["dependencies"] if isinstance(spec, str)]


def pins() -> dict[str, list[Requirement]]:
    """Every requirement of constraints.txt, by canonical name."""
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        requirement = Requirement(line)
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def declared_requirements() -> list[Requirement]:
    """What pyproject.toml asks for, with and without extras, the package itself left out."""
    lines = PROJECT["dependencies"] + [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    return [requirement for requirement in map(Requirement, lines) if requirement.name != PROJECT["name"]]


def test_conda_specs_are_valid_and_only_python_comes_from_conda():
    names = [MatchSpec(spec).name.normalized for spec in conda_specs()]
    assert sorted(names) == ["pip", "python"]


def test_conda_python_is_one_that_the_package_accepts():
    spec = next(spec for spec in conda_specs() if spec.startswith("python"))
    version = re.fullmatch(r"python=(\d+\.\d+)", spec)
    assert version is not None, f"environment.yml must pin Python to a minor version, not {spec!r}"
    assert Version(version[1]) >= Version(PROJECT["requires-python"].removeprefix(">="))


def test_conda_installs_with_pip_what_make_setup_installs():
    pip_section = next(item["pip"] for item in environment()["dependencies"] if isinstance(item, dict))
    arguments = re.search(r"^INSTALL_ARGS\s*:=\s*(.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert arguments is not None
    assert " ".join(pip_section) == arguments[1].replace("'", "")


@pytest.mark.parametrize("requirement", declared_requirements(), ids=str)
def test_every_declared_dependency_has_a_pin_that_satisfies_it(requirement):
    found = pins().get(canonicalize_name(requirement.name), [])
    assert found, f"constraints.txt has no pin for {requirement.name}: run `make lock`"
    for pin in found:
        (specifier,) = pin.specifier
        assert specifier.operator == "=="
        assert requirement.specifier.contains(specifier.version)


def test_package_lock_holds_the_declared_versions_and_no_address_to_fetch_from():
    declared = json.loads((ROOT / "package.json").read_text())["dependencies"]
    lock = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert {name: lock[f"node_modules/{name}"]["version"] for name in declared} == declared
    assert all("integrity" in package for name, package in lock.items() if name)
    assert not any("resolved" in package for package in lock.values())


# --- the workflows and scripts --------------------------------------------------------------------


def jobs(workflow: Path) -> dict[str, dict]:
    return yaml.safe_load(workflow.read_text())["jobs"]


def steps(workflow: Path) -> list[dict]:
    return [step for job in jobs(workflow).values() for step in job["steps"]]


def test_the_three_workflows_are_there():
    assert {path.stem for path in WORKFLOWS} == {"test", "gpu", "publish"}


@pytest.mark.parametrize("schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"])
def test_workflows_are_valid(schema):
    assert schema_errors(schema, *WORKFLOWS) == ""


def test_the_schema_check_can_fail(tmp_path):
    broken = tmp_path / "broken.yml"
    broken.write_text("name: broken\non: push\njobs:\n  test:\n    steps: []\n")
    assert "runs-on" in schema_errors("vendor.github-workflows", broken)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_steps_name_versions_and_parse(workflow):
    for step in steps(workflow):
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@(v\d+(\.\d+)*|[0-9a-f]{40})", step["uses"])
        else:
            assert shell_errors(step["run"]) == ""


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_jobs_run_on_known_runners(workflow):
    for job in jobs(workflow).values():
        runner = job["runs-on"]
        assert runner == OWN_RUNNER if workflow.stem == "gpu" else runner in GITHUB_RUNNERS
        assert set(job.get("needs", "").split()) <= set(jobs(workflow))


def test_the_gpu_runner_never_runs_code_of_a_pull_request():
    # YAML reads the key `on` as true.
    triggers = yaml.safe_load((ROOT / ".github" / "workflows" / "gpu.yml").read_text())[True]
    assert set(triggers) == {"push", "workflow_dispatch"}


@pytest.mark.parametrize("name", ["test", "gpu"])
def test_workflows_run_the_same_command_as_continuous_integration(name):
    commands = [step.get("run") for step in steps(ROOT / ".github" / "workflows" / f"{name}.yml")]
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    assert commands[-1] == script[-1] == "make test"


def test_ci_script_parses():
    assert shell_errors((ROOT / ".ci" / "run").read_text()) == ""


def test_make_lists_its_targets():
    if shutil.which("make") is None:
        pytest.skip("make is not installed here, so its list of targets was not checked.")
    listed = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    names = {line.split()[1] for line in listed.stdout.splitlines() if line.startswith("  make ")}
    assert {"setup", "book", "test", "lint", "lab", "serve", "notebooks", "lock", "clean"} <= names


# --- what keeps the pages and the notebooks as they should be -----------------------------------------


def book_module(name: str) -> ModuleType:
    """A module of book/_ext, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "book" / "_ext" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("node", "found"),
    [
        (nodes.image(uri="a.png"), 1),
        (nodes.image(uri="a.png", alt=" "), 1),
        (nodes.image(uri="a.png", alt="A curve."), 0),
        (nodes.raw("", '<p><img src="a.png"></p>', format="html"), 1),
        (nodes.raw("", '<p><img alt="" src="a.png"></p>', format="html"), 1),
        (nodes.raw("", '<p><img alt="A curve." src="a.png"></p>', format="html"), 0),
    ],
    ids=["none", "blank", "given", "html without", "html empty", "html given"],
)
def test_the_build_finds_images_without_alt_text(node, found):
    document = new_document("page")
    document += node
    assert len(list(book_module("hnet_book").images_without_alt(document))) == found


@pytest.mark.parametrize(("points", "classes"), [(574.9, []), (600.4, ["wide"])])
def test_a_figure_wider_than_the_text_is_marked(tmp_path, points, classes):
    (tmp_path / "a.svg").write_text(f'<?xml version="1.0"?>\n<svg xmlns="x" width="{points}pt" height="9pt"></svg>')
    document = new_document("page")
    document += nodes.image(uri="a.svg", alt="A curve.")
    book_module("hnet_book").mark_wide(SimpleNamespace(srcdir=tmp_path), document)
    assert document[0]["classes"] == classes


def executed_notebook(first: str, second: str, address: str) -> dict:
    """A notebook as two runs leave it behind: the same but for ids of widgets, times and addresses."""
    mime = "application/vnd.jupyter.widget-"
    shown = {"output_type": "display_data", "data": {f"{mime}view+json": {"model_id": first}}, "metadata": {}}
    printed = {"output_type": "stream", "name": "stdout", "text": [f"<object at 0x{address}>", f"{ROOT}/data/x"]}
    cell = {
        "cell_type": "code",
        "metadata": {"execution": {"start": address}},
        "source": "",
        "outputs": [shown, printed],
    }
    state = {second: {"state": {}}, first: {"state": {"layout": f"IPY_MODEL_{second}"}}}
    widgets = {f"{mime}state+json": {"state": state}}
    return {"cells": [cell, {"cell_type": "markdown", "metadata": {}, "source": ""}], "metadata": {"widgets": widgets}}


def test_normalised_notebooks_do_not_tell_one_run_from_another():
    normalise = book_module("normalise").normalise
    one = normalise(executed_notebook("a" * 32, "b" * 32, "7f01"))
    other = normalise(executed_notebook("d" * 32, "c" * 32, "7f02"))
    assert one == other == normalise(one)
    assert one["cells"][0]["outputs"][1]["text"][1] == "data/x"
    assert len({cell["id"] for cell in one["cells"]}) == 2


# --- licences, citation, and what no file may say -------------------------------------------------


def test_licences_say_what_they_are():
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert "https://creativecommons.org/licenses/by/4.0/" in (ROOT / "LICENSE-text").read_text()


def test_citation_is_valid_and_of_this_version():
    assert schema_errors("vendor.citation-file-format", ROOT / "CITATION.cff") == ""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]


def project_files() -> list[Path]:
    """Every text file that is committed or would be: what git tracks, and what it does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("This is not a git checkout, so its files were not searched for names of hosts and paths.")
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_registry_or_a_place_on_a_machine():
    # The folder of the checkout, or the one that holds it where that is no common one.
    common = (Path("/"), Path(tempfile.gettempdir()))
    own_folder = re.compile(re.escape(str(ROOT if ROOT.parent in common else ROOT.parent)) + "/")
    found = []
    for path in project_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for pattern in (REGISTRY_HOST, HOME_PATH, own_folder):
            found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in pattern.finditer(text)]
    assert found == []


@pytest.mark.parametrize("text", ["https://" + "py" + "pi.org/simple", "/home/" + "someone/book", "/ro" + "ot/.cache"])
def test_the_search_finds_what_it_looks_for(text):
    assert REGISTRY_HOST.search(text) or HOME_PATH.search(text)


def test_the_version_is_one_everywhere() -> None:
    """Package, citation and change log name the same version."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    latest = re.search(r"^## (\S+),", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert latest
    assert {PROJECT["version"], citation["version"], latest[1]} == {PROJECT["version"]}
