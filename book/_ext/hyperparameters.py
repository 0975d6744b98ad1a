"""`{hyperparameters}`: every setting of every family of experiments, its values, and who says so."""

from html import escape
from typing import Any

from sphinx.application import Sphinx

import sources
from scoreboard import Generated, table
from sources import FAMILIES, Rule

SAID_BY = {"paper": "paper", "code": "released code", "choice": "our choice"}
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
    """A table for each family, folded away."""

    def html(self) -> str:
        return "".join(map(self.family, FAMILIES))

    def family(self, title: str) -> str:
        """The table of one family."""
        entries = sources.table(title)
        ours = sum(rule.source == "choice" for _, rule in entries)
        lines = (self.line(setting, rule, values) for (setting, rule), values in entries.items())
        settings = table('class="sb-table"', f"{title}: settings", ("Setting", "Value", "From"), lines)
        return (
            f'<details class="sb-family"><summary>{escape(title)} '
            f"<small>{len(entries)} settings, {ours} of them our choice</small></summary>{settings}</details>"
        )

    def line(self, setting: str, rule: Rule, values: list[Any]) -> str:
        """One setting."""
        note = f"<small>{escape(rule.note)}</small>" if rule.note else ""
        return (
            f'<tr><th scope="row"><code>{setting}</code></th><td data-label="Value">{escape(all_shown(values))}</td>'
            f'<td data-label="From"><span class="sb-tag sb-{rule.source}">{SAID_BY[rule.source]}</span>{note}</td></tr>'
        )


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("hyperparameters", Hyperparameters)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
