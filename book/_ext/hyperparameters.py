"""`{hyperparameters}`: every setting of every family of experiments, its values, and who says so."""

from html import escape
from typing import Any

from sphinx.application import Sphinx

from hnetlib.experiments.sources import FAMILIES, table
from scoreboard import Generated

SAID_BY = {"paper": "paper", "code": "released code", "choice": "our choice"}
FILTERS = "family:Experiments|source:Source"
SEVERAL = 4  # values that are all shown


def shown(value: Any) -> str:
    """A value as a reader writes it."""
    if isinstance(value, list | tuple):
        return "(" + ", ".join(map(shown, value)) + ")"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def all_shown(values: list[Any]) -> str:
    """Values, or how many from where to where."""
    if len(values) <= SEVERAL:
        return "; ".join(map(shown, values))
    try:
        return f"{len(values)} values, {shown(min(values))} to {shown(max(values))}"
    except TypeError:
        return f"{len(values)} values"


class Hyperparameters(Generated):
    """One table for all, with filters."""

    def html(self) -> str:
        lines = "".join(map(self.lines, FAMILIES))
        head = "".join(f'<th scope="col">{cell}</th>' for cell in ("Setting", "Value", "From", "Note"))
        return (
            f'<table class="sb-table sb-settings" data-filters="{FILTERS}">'
            '<caption class="sb-hidden">Settings of all experiments and where they come from</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
            '<script src="../_static/scoreboard.js" defer></script>'
        )

    def lines(self, family: str) -> str:
        return "".join(
            f'<tr data-family="{escape(family)}" data-source="{SAID_BY[rule.source]}">'
            f'<th scope="row"><code>{setting}</code><small>{escape(family)}</small></th>'
            f'<td data-label="Value">{escape(all_shown(values))}</td>'
            f'<td data-label="From"><span class="sb-tag sb-{rule.source}">{SAID_BY[rule.source]}</span></td>'
            f'<td data-label="Note">{escape(rule.note) or "—"}</td></tr>'
            for (setting, rule), values in table(family).items()
        )


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("hyperparameters", Hyperparameters)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
