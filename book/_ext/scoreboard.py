"""The tables of the scoreboard, from records: `{scoreboard-summary}`, `{paper-map}`, `{scoreboard}`.

A page that has one is read anew by every build. Every record that a table links to is published with the site.
"""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import chapters
from elements import ELEMENTS, Progress, element, method, progress
from hnet_book import FRESH
from hnetlib.experiments import record
from hnetlib.experiments.registry import EXPERIMENTS, ROWS
from hnetlib.experiments.report import Row, number, report, value

MARKS = {"reproduced": "✓", "short": "▼", "reduced": "◐", "pending": "○"}
STATES = {
    "paper": "paper tier",
    "reduced": "reduced tier",
    "in part": "in part",
    "pending": "pending",
    "": "no runs needed",
}
FILTERS = "where:In the paper|method:Method|status:Status|tier:Tier"
WIDEST = 5.0  # points: where the bar of a difference ends
HEAD = ("Row", "Paper", "Ours", "Difference", "Status", "Records")


class Generated(SphinxDirective):
    """A directive whose HTML is made from records."""

    def run(self) -> list[nodes.Node]:
        self.env.metadata[self.env.docname][FRESH] = True
        return [nodes.raw("", self.html(), format="html")]

    def html(self) -> str:
        """What stands in the directive's place."""
        raise NotImplementedError


# A build is one process, and records do not change while it runs: each is read once for all tables.
best = cache(record.best)


@cache
def answers() -> list[Row]:
    """All of the paper's numbers beside ours."""
    return report()


# -- small pieces ------------------------------------------------------------------------------------------------------


def links(places: Iterable[chapters.Place]) -> str:
    """Links to places, by the titles of their chapters."""
    return ", ".join(f'<a href="{place.address}">{escape(place.title)}</a>' for place in places)


def address(run: dict[str, Any]) -> str:
    """Where the site has a record, from a page in book/."""
    return record.place(run["experiment"], run["seed"], run["tier"], Path("../records")).as_posix()


def tag(text: str, kind: str) -> str:
    """A word in the colour of its kind, with the kind's mark for those who do not see colours."""
    mark = MARKS.get(kind, "")
    return f'<span class="sb-tag sb-{kind or "none"}">{mark and mark + " "}{escape(text)}</span>'


def devices(runs: list[dict[str, Any]]) -> str:
    """Where runs were made, each device once."""
    return ", ".join(dict.fromkeys(run["provenance"]["device"] for run in runs))


def share(counts: Counter[str], order: Iterable[str], words: dict[str, str]) -> str:
    """A bar cut in parts; its text says the same."""
    parts = [(kind, counts[kind]) for kind in order if counts[kind]]
    said = ", ".join(f"{many} {words.get(kind, kind)}" for kind, many in parts)
    bars = "".join(f'<i class="sb-{kind}" style="flex-grow:{many}"></i>' for kind, many in parts)
    return f'<span class="sb-bar" role="img" aria-label="{escape(said)}">{bars}</span>'


def table(attributes: str, caption: str, head: Iterable[str], lines: Iterable[str]) -> str:
    """A table whose caption is for screen readers alone."""
    columns = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    return (
        f'<table {attributes}><caption class="sb-hidden">{escape(caption)}</caption>'
        f"<thead><tr>{columns}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )


# -- the three tables --------------------------------------------------------------------------------------------------


class Summary(Generated):
    """How many rows stand where."""

    def html(self) -> str:
        counts = Counter(row.status for row in answers())
        words = {
            "reproduced": "reproduced at the paper’s setting",
            "short": "short of the paper at the paper’s setting",
            "reduced": "with a reduced run only",
            "pending": "pending",
        }
        items = "".join(
            f'<li class="sb-{kind}"><b>{counts[kind]}</b> {escape(text)}</li>' for kind, text in words.items()
        )
        bar = share(counts, words, words)
        runs = sum(1 for _ in record.RESULTS.rglob("seed-*.json"))
        return (
            f'<div class="sb-summary"><p><b>{len(answers())}</b> numbers of the paper, <b>{runs}</b> records</p>'
            f"{bar}<ul>{items}</ul></div>"
        )


class PaperMap(Generated):
    """Every figure and table, and how far it is."""

    def html(self) -> str:
        lines = (self.line(name, answers()) for name in ELEMENTS)
        head = ("In the paper", "Here", "State", "Experiments")
        return table('class="sb-table sb-map"', "Elements of the paper and their state", head, lines)

    def line(self, name: str, rows: list[Row]) -> str:
        """One element of the paper."""
        done = progress(name, rows)
        state = tag(STATES[done.state], done.state.replace(" ", "-"))
        return (
            f'<tr><th scope="row">{escape(name)}<small>{escape(ELEMENTS[name])}</small></th>'
            f'<td data-label="Here">{links(shown(name, rows))}</td>'
            f'<td data-label="State">{state}</td><td data-label="Experiments">{self.runs(done)}</td></tr>'
        )

    def runs(self, done: Progress) -> str:
        """What ran for an element, folded away behind a bar."""
        if not done.tiers:
            return "—"
        order = ("paper", "reduced", "pending")
        there = {name: tier for name, tier in done.tiers.items() if tier}
        items = "".join(
            f'<li><a href="{address(best(name)[0])}"><code>{name}</code></a>: {tier} tier, '
            f"{done.seeds[name]} of {EXPERIMENTS[name].seeds} seeds</li>"
            for name, tier in there.items()
        )
        if left := done.counts["pending"]:
            items += f"<li>{left} without a record</li>"
        said = f"{len(there)} of {len(done.tiers)}"
        bar = share(done.counts, order, {})
        return f"<details><summary>{said}{bar}</summary><ul>{items}</ul></details>"


def shown(name: str, rows: list[Row]) -> list[chapters.Place]:
    """The chapters with an element of the paper."""
    mine = [place for row in rows if element(row) == name for place in chapters.of_row(row.id, name)]
    return chapters.of_element(name) or chapters.each_once(mine)


class Scoreboard(Generated):
    """Every number of the paper, and ours."""

    def html(self) -> str:
        attributes = f'class="sb-table sb-rows" data-filters="{FILTERS}"'
        lines = map(self.line, answers())
        return (
            table(attributes, "Numbers of the paper and ours", HEAD, lines)
            + '<script src="../_static/scoreboard.js" defer></script>'
        )

    def line(self, row: Row) -> str:
        """One number of the paper; its data attributes are what the filters look at."""
        where = element(row)
        kinds = {"where": where, "method": method(row), "status": row.status, "tier": row.tier or "no record"}
        data = " ".join(f'data-{key}="{escape(kind)}"' for key, kind in kinds.items())
        about = f"{escape(row.where)} · {row.metric} · {links(chapters.of_row(row.id, where))}"
        many = f"<small>n = {row.paper_n}</small>" if row.paper_n else ""
        return (
            f'<tr {data}><th scope="row"><code>{row.id}</code><small>{about}</small></th>'
            f'<td data-label="Paper">{number(row.paper, row.paper_sem)}{many}</td>'
            f'<td data-label="Ours">{self.ours(row)}</td><td data-label="Difference">{self.difference(row)}</td>'
            f'<td data-label="Status">{tag(row.status, row.status)}</td>'
            f'<td data-label="Records">{self.records(row)}</td></tr>'
        )

    def ours(self, row: Row) -> str:
        """Our mean, its error, and of how many seeds at which tier."""
        if row.ours is None:
            return "—"
        return f"{number(row.ours, row.sem)}<small>n = {row.n}, {row.tier} tier</small>"

    def difference(self, row: Row) -> str:
        """Ours minus the paper's, also as a bar to one side of a middle."""
        if row.difference is None:
            return "—"
        width = min(abs(row.difference), WIDEST) / WIDEST * 50
        side = "left" if row.difference >= 0 else "right"
        bar = f'<span class="sb-difference" aria-hidden="true"><i style="{side}:50%;width:{width:.1f}%"></i></span>'
        return f"{row.difference:+.2f}".replace("-", "−") + bar

    def records(self, row: Row) -> str:
        """Seeds, devices, commits, and the command that makes them again; folded away."""
        name, evaluation = ROWS[row.id]
        runs = [run for run in best(name) if value(run, row.metric, evaluation) is not None]
        command = f"hnet run {name} --seeds 0-{EXPERIMENTS[name].seeds - 1}"
        if not runs:
            return f"<details><summary>none yet</summary><p><code>{command}</code></p></details>"
        items = "".join(self.record(run, value(run, row.metric, evaluation)) for run in runs)
        tier = "" if row.tier == "paper" else f" --tier {row.tier}"
        return (
            f"<details><summary>{len(runs)} <span>· {escape(devices(runs))}</span></summary><ul>{items}</ul>"
            f"<p><code>{command}{tier}</code></p></details>"
        )

    def record(self, run: dict[str, Any], result: float | None) -> str:
        """One seed."""
        made = run["provenance"]
        return (
            f'<li><a href="{address(run)}">seed {run["seed"]}</a>: {result:.2f}, {made["wall_seconds"] / 60:.0f} min, '
            f"{made['started'][:10]}, commit {made['commit'][:7]}</li>"
        )


# -- with the site -----------------------------------------------------------------------------------------------------


def publish(app: Sphinx, error: Exception | None) -> None:
    """Copy the records that the tables link to."""
    if error is not None or app.builder.format != "html":
        return
    for name in EXPERIMENTS:
        for run in best(name):
            source = record.place(name, run["seed"], run["tier"])
            target = record.place(name, run["seed"], run["tier"], Path(app.outdir) / "records")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("scoreboard-summary", Summary)
    app.add_directive("paper-map", PaperMap)
    app.add_directive("scoreboard", Scoreboard)
    app.connect("build-finished", publish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
