"""`{equation-index}`: from the paper's equations to the code, with pages of source that the links lead to."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from hnet_book import FRESH

ROOT = Path(__file__).parents[2]
ANCHOR = re.compile(r'<a id="(L-\d+)"[^>]*></a>')
EQUATIONS = ROOT / "book" / "equations.toml"


@cache
def definitions(module: str) -> dict[str, tuple[int, str]]:
    """Line and docstring of all that a module defines by name: "Class.method", "function", "CONSTANT"."""
    tree = ast.parse(source(module).read_text(encoding="utf-8"))
    return dict(defined(tree.body, ""))


def source(module: str) -> Path:
    """A module's file."""
    path = ROOT / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def defined(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, tuple[int, str]]]:
    """Names that statements define, those inside classes too, each with its line and docstring."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield prefix + node.name, (node.lineno, ast.get_docstring(node) or "")
            if isinstance(node, ast.ClassDef):
                yield from defined(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield prefix + node.target.id, (node.lineno, "")


def split(name: str) -> tuple[str, str]:
    """Module and name within it, of "hnetlib.regularizer.Lookahead.move".

    Raises:
        LookupError: there is no such module, or nothing of that name in it.
    """
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module, inside = ".".join(parts[:cut]), ".".join(parts[cut:])
        if source(module).is_file() and inside in definitions(module):
            return module, inside
    raise LookupError(f"book/equations.toml names {name!r}, which the package does not define.")


def address(name: str) -> str:
    """The line that defines a name, on its page of source, from a page in book/."""
    module, inside = split(name)
    return f"../source/{module}.html#L-{definitions(module)[inside][0]}"


@cache
def equations() -> list[dict[str, Any]]:
    """The content of equations.toml."""
    content: list[dict[str, Any]] = tomllib.loads(EQUATIONS.read_text(encoding="utf-8"))["equation"]
    return content


def as_markdown(equation: dict[str, Any]) -> str:
    """A heading, the equation, where it is derived, and its symbols."""
    numbers = equation["numbers"]
    title = f"Eq. {numbers[0]}" if len(numbers) == 1 else f"Eqs. {numbers[0]} to {numbers[-1]}"
    labels = ", ".join(f"{{eq}}`{label}`" for label in equation["labels"])
    here = f"[](/book/{equation['chapter']}.ipynb)" + (f", as {labels}" if labels else "")
    lines = [f"## {title}. {equation['title']}", "", "```{math}", equation["tex"], "```", "", f"Derived in {here}.", ""]
    lines += ["| Symbol | In the package | What it is |", "|---|---|---|"]
    for tex, name, words in equation["symbols"]:
        lines.append(
            f'| ${tex}$ | <a href="{address(name)}"><code>{name.removeprefix("hnetlib.")}</code></a> | {words} |'
        )
    return "\n".join([*lines, "", ""])


class EquationIndex(SphinxDirective):
    """The whole index."""

    def run(self) -> list[nodes.Node]:
        self.env.metadata[self.env.docname][FRESH] = True
        definitions.cache_clear()
        equations.cache_clear()
        return self.parse_text_to_nodes("\n".join(map(as_markdown, equations())), allow_section_headings=True)


def modules() -> list[str]:
    """Those that the index links to."""
    return sorted({split(name)[0] for equation in equations() for _, name, _ in equation["symbols"]})


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for each of these modules, a line an anchor."""
    if app.builder.format != "html":
        return
    for module in modules():
        text = source(module).read_text(encoding="utf-8")
        listing = app.builder.highlighter.highlight_block(text, "python", lineanchors="L")  # type: ignore[attr-defined]
        listing = ANCHOR.sub(r'<span id="\1"></span>', listing)  # links without text are read out, hundreds of them
        back = '<p><a href="../book/equations.html">From equation to code</a></p>'
        yield f"source/{module}", {"title": module, "body": f"<h1>{module}</h1>{back}{listing}"}, "page.html"


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("equation-index", EquationIndex)
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
