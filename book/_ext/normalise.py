"""Make executed notebooks the same, byte for byte, from one run to the next.

    python book/_ext/normalise.py NOTEBOOK [NOTEBOOK ...]

Drops times of execution, the Python patch version and object addresses; numbers the models of widgets in the
order in which the page shows them; writes paths inside the checkout relative to it; gives every cell an id of its
own. What a cell computed is left alone.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
MODEL_ID = re.compile(r"[0-9a-f]{32}")
MODEL_REFERENCE = re.compile(r"IPY_MODEL_([0-9a-f]{32})")
ADDRESS = re.compile(r" at 0x[0-9a-f]+")

Notebook = dict[str, Any]


def normalise(notebook: Notebook) -> Notebook:
    """The same notebook without what changes from run to run. Expects nbformat 4, as a dictionary."""
    notebook = json.loads(json.dumps(notebook))
    _clean_metadata(notebook)
    _name_cells(notebook["cells"])
    _map_outputs(notebook, _plain_text)
    _renumber_widgets(notebook)
    return notebook


def _clean_metadata(notebook: Notebook) -> None:
    """Drop times and the Python patch version."""
    notebook["metadata"].get("language_info", {}).pop("version", None)
    for cell in notebook["cells"]:
        cell.get("metadata", {}).pop("execution", None)


def _name_cells(cells: list[dict[str, Any]]) -> None:
    """Keep ids that are there; number the cells that have none, or the id of an earlier cell."""
    used: set[str] = set()
    given = {cell.get("id") for cell in cells}
    for number, cell in enumerate(cells):
        name = cell.get("id")
        if not name or name in used:
            name = f"cell-{number}"
            while name in used or name in given:
                name += "x"
        cell["id"] = name
        used.add(name)


def _plain_text(text: str) -> str:
    """An output's text without addresses and without the folder in which the checkout lies."""
    text = ADDRESS.sub(" at 0x000000000000", text)
    for folder in (ROOT, Path.home()):
        text = text.replace(f"{folder}/", "")
    return text


def _map_outputs(notebook: Notebook, change: Any) -> None:
    """Change every string in the outputs of cells."""
    for cell in notebook["cells"]:
        if "outputs" in cell:
            cell["outputs"] = [_map_strings(output, change) for output in cell["outputs"]]


def _map_strings(value: Any, change: Any) -> Any:
    """The value with every string in it changed, however deep it lies."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map_strings(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _map_strings(item, change) for key, item in value.items()}
    return value


def _renumber_widgets(notebook: Notebook) -> None:
    """Replace the random ids of widget models by their place in the order of appearance."""
    widgets = notebook["metadata"].get("widgets", {}).get(STATE)
    if not widgets:
        return
    numbers = _widget_order(notebook["cells"], widgets["state"])

    def renumber(text: str) -> str:
        return MODEL_ID.sub(lambda match: numbers.get(match[0], match[0]), text)

    state = {numbers[name]: _map_strings(model, renumber) for name, model in widgets["state"].items()}
    widgets["state"] = dict(sorted(state.items()))
    _map_outputs(notebook, renumber)


def _widget_order(cells: list[dict[str, Any]], state: dict[str, Any]) -> dict[str, str]:
    """New ids: models shown in outputs first, each followed by those it refers to, then the rest."""
    numbers: dict[str, str] = {}

    def visit(name: str) -> None:
        """Number a model, then those it refers to."""
        if name in numbers or name not in state:
            return
        numbers[name] = f"{len(numbers):032x}"
        for other in MODEL_REFERENCE.findall(_text(state[name])):
            visit(other)

    for cell in cells:
        for output in cell.get("outputs", []):
            if VIEW in output.get("data", {}):
                visit(output["data"][VIEW]["model_id"])

    def content(name: str) -> str:
        """What a model that no output shows is sorted by: everything but the ids still to be given."""
        return MODEL_ID.sub(lambda match: numbers.get(match[0], "?"), _text(state[name]))

    for name in sorted((name for name in state if name not in numbers), key=content):
        visit(name)
    return numbers


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def rewrite(paths: list[str], change: Callable[[Notebook], Notebook]) -> None:
    """Change notebooks where they lie, in the form in which Jupyter writes them."""
    for path in map(Path, paths):
        notebook = change(json.loads(path.read_text(encoding="utf-8")))
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    rewrite(sys.argv[1:], normalise)
