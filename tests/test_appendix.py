"""The scoreboard and the appendix: made from records, registry and chapters, and held against them."""

import importlib
import json
import re
from collections import Counter
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import chapters
import elements
import equations
import pytest
import scoreboard as pages
import sources
import torch

from hnetlib import plots
from hnetlib.experiments import record
from hnetlib.experiments.config import flatten
from hnetlib.experiments.registry import EXPERIMENTS, ROWS
from hnetlib.experiments.report import Row, as_markdown, example, judged, pictures, recorded, report, table

ROOT = Path(__file__).parents[1]


@cache
def rows() -> tuple[Row, ...]:
    return tuple(report())


# -- helpers of the chapters


def test_a_table_of_a_notebook_has_the_rows_asked_for_in_that_order() -> None:
    names = ("s-cl3-hnet-ent", "p100-cl1-hnet", "s-cl1-hnet")
    wanted = [row for name in names for row in rows() if row.id == name]
    assert table(*names).data == as_markdown(wanted)
    assert len(wanted) == 4  # during and final of p100-cl1-hnet


def test_what_is_recorded_says_tier_and_number() -> None:
    matrices, origin = recorded("p10-cl1-hnet")
    assert origin == f"paper tier, n = {len(matrices)}" and matrices[0].shape == (10, 10)
    assert recorded("no such run") == ([], "no record yet")


def test_a_judge_says_who_was_recognized_then_and_now() -> None:
    run, origin = example("figA8-vae-pairs")
    assert run
    head, new, old, judge = judged("figA8-vae-pairs").splitlines()
    assert head == f"figA8-vae-pairs: {origin}" and f"{run['judge']:.1f}%" in judge
    assert new.endswith(f"{run['metrics']['during']:.1f}") and old.endswith(f"{run['metrics']['final']:.1f}")
    assert judged("no such run") == "no such run: no record yet"


def test_recorded_pictures_are_the_first_seeds_each_in_its_place() -> None:
    run, origin = example("figA8-vae")
    assert run and run["seed"] == 0 and origin == f"{run['tier']} tier, seed 0"
    blocks, said = pictures("figA8-vae")
    assert said == origin and [block.shape for block in blocks] == [(10, 8, 784)] * 2
    _, axes = plots.panels(2)
    plots.pictures(axes, blocks, ("new", "old"), 28, said)
    drawn = torch.tensor(axes[1].images[0].get_array())
    drawn = drawn[7 * 30 + 1 : 8 * 30 - 1, 3 * 30 + 1 : 4 * 30 - 1]  # an empty pixel around each
    assert torch.equal(drawn, blocks[1][7, 3].view(28, 28))
    assert axes[0].get_ylabel() == origin


def test_without_a_record_axes_say_so_and_are_empty() -> None:
    assert example("no such run") == (None, "no record yet")
    _, axes = plots.panels(2)
    blocks, said = pictures("no such run")
    plots.pictures(axes, blocks, ("new", "old"), 28, said)
    assert said in (axes[0].get_title(), axes[0].get_title("left"))  # where the style puts it
    assert not any(ax.axison or ax.images for ax in axes)


# -- elements of the paper


def test_the_map_has_the_23_elements_and_every_row_and_figure_belongs_to_one() -> None:
    assert len(elements.ELEMENTS) == 23
    assert {elements.element(row) for row in rows()} <= set(elements.ELEMENTS)
    whole = {name: elements.experiments(name, list(rows())) for name in elements.ELEMENTS}
    assert {name for name, runs in whole.items() if not runs} == {"Fig. 1", "Fig. A1", "Proposition 1"}
    assert {ROWS[row.id][0] for row in rows()} <= {run for runs in whole.values() for run in runs}
    assert "fig3b-ratio-0.1" in whole["Fig. 3"] and "p100-cl1-ewc" in whole["Fig. 3"]
    assert "fig2-beta-5" not in whole["Fig. 2"], "a sweep that the paper does not have"


def test_how_far_an_element_is_follows_from_its_records(tmp_path: Path) -> None:
    def state() -> str:
        return elements.progress("Fig. 4", list(rows()), tmp_path).state

    def give(experiment: str, tier: str) -> None:
        run = record.load(record.place("fig4", 0)).model_copy(update={"experiment": experiment, "tier": tier})
        record.write(run, record.place(experiment, 0, tier, tmp_path))

    assert state() == "pending"
    give("fig4", "reduced")
    assert state() == "in part"
    give("fig4-cl2", "paper")
    assert state() == "reduced"
    give("fig4", "paper")
    assert state() == "paper"
    assert elements.progress("Fig. 1", list(rows()), tmp_path).state == ""


def test_every_row_and_element_is_shown_in_a_chapter_and_the_link_finds_it() -> None:
    for row in rows():
        found = chapters.of_row(row.id)
        assert found, f"no chapter prints the row {row.id}"
        assert all(f"| {row.id} |" in place.text for place in found)
    for name in elements.ELEMENTS:
        assert pages.shown(name, list(rows())), f"no chapter shows {name}"
    assert [place.document[:2] for place in chapters.of_element("Fig. 3")] == ["03", "05"]


def test_what_is_reproduced_stays_reproduced() -> None:
    """What holds today: more may come, none may go. (The aim is every row at least reduced, 40 at the paper's tier.)"""
    counts = Counter(row.status for row in rows())
    assert len(rows()) == 77
    assert counts["reproduced"] >= 54
    assert not counts["pending"]  # every row has at least a reduced record


# -- the tables on the page


def test_a_row_says_paper_ours_difference_and_where_it_comes_from() -> None:
    row = next(row for row in rows() if row.id == "s-cl1-hnet")
    line = pages.Scoreboard.line(pages.Scoreboard.__new__(pages.Scoreboard), row)
    run = record.read("s-cl1-hnet", 3)[0]
    for part in (
        'data-where="Table 1"',
        'data-method="hnet"',
        'data-status="reproduced"',
        'data-tier="paper"',
        f"{row.paper:.2f} ± {row.paper_sem:.2f}",
        f"{row.ours:.2f} ± {row.sem:.2f}<small>n = 20, paper tier",
        "../records/s-cl1-hnet/seed-3.json",
        f"{run['metrics']['final']:.2f}, ",
        run["provenance"]["commit"][:7],
        "hnet run s-cl1-hnet --seeds 0-19",
    ):
        assert part in line, part


def test_a_reduced_run_is_no_verdict_and_a_missing_one_is_said() -> None:
    row = rows()[0]
    assert all((r.status == "reduced") == (r.tier == "reduced") for r in rows())
    empty = pages.Scoreboard.__new__(pages.Scoreboard)
    assert pages.Scoreboard.difference(empty, replace(row, difference=None)) == "—"
    assert pages.Scoreboard.ours(empty, replace(row, ours=None)) == "—"
    assert "−1.00" in pages.Scoreboard.difference(empty, replace(row, difference=-1.0))


# -- equations


def cited(text: str) -> set[int]:
    """Numbers of the equations that a text names: "Eq. 2", "Eqs. 3-5", "Eqs. 10 to 15"."""
    found: set[int] = set()
    for numbers in re.findall(r"Eqs?\. (\d+(?:(?:, | and |-| to )\d+)*)", text):
        for part in re.split(", | and ", numbers):
            ends = [int(end) for end in re.split("-| to ", part)]
            found |= set(range(ends[0], ends[-1] + 1))
    return found


def test_citations_are_read() -> None:
    assert cited("Eq. 2, Eqs. 3-5 and Eqs. 10 to 12; its Eqs. 7 and 9") == {2, 3, 4, 5, 7, 9, 10, 11, 12}


def test_the_index_has_all_fifteen_equations_once() -> None:
    assert [n for equation in equations.equations() for n in equation["numbers"]] == list(range(1, 16))


@pytest.mark.parametrize("equation", equations.equations(), ids=lambda equation: str(equation["numbers"][0]))
def test_an_equation_is_cited_by_its_code_and_derived_in_its_chapter(equation: dict[str, Any]) -> None:
    said = set()
    for _, name, _ in equation["symbols"]:
        module, inside = equations.split(name)
        found: Any = importlib.import_module(module)
        for part in inside.split("."):
            found = getattr(found, part)
        line, docstring = equations.definitions(module)[inside]
        text = (ROOT / equations.source(module)).read_text().splitlines()[line - 1]
        assert inside.rpartition(".")[2] in text, f"{name} is not defined in line {line}"
        said |= cited(docstring + (importlib.import_module(module).__doc__ or ""))
    assert set(equation["numbers"]) <= said, "a docstring should name the equation"
    notebook = json.loads((ROOT / "book" / f"{equation['chapter']}.ipynb").read_text())
    prose = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    assert set(equation["numbers"]) <= cited(prose)
    for label in equation["labels"]:
        assert f":label: {label}\n" in prose


def test_a_symbol_that_the_package_does_not_define_is_refused() -> None:
    assert equations.address("hnetlib.regularizer.Lookahead.move").startswith("../source/hnetlib.regularizer.html#L-")
    for name in ("hnetlib.regularizer.Lookbehind", "hnetlib.regulariser.Lookahead", "torch.nn.Linear"):
        with pytest.raises(LookupError, match="does not define"):
            equations.address(name)


# -- hyperparameters


def test_every_setting_of_every_experiment_has_a_family_and_a_source() -> None:
    used = set()
    for name, experiment in EXPERIMENTS.items():
        assert sources.family(name) in sources.FAMILIES
        used |= {sources.rule(name, setting) for setting in flatten(asdict(experiment.config))}
    assert used == set(sources.RULES), "a rule that fits nothing, or is always overruled"
    assert {sources.family(name) for name in EXPERIMENTS} == set(sources.FAMILIES)
    assert ("method.beta", 0.0) in sources.settings(EXPERIMENTS["fig2-beta-0"]), "zero is a setting"


@pytest.mark.parametrize(
    ("experiment", "setting", "source"),
    [
        ("p10-cl1-hnet", "method.hypernet.chunk_size", "paper"),
        ("p10-cl1-hnet", "method.hypernet.activation", "code"),
        ("s-cl1-hnet", "method.hypernet.activation", "paper"),
        ("s-cl1-si", "method.strength", "choice"),
        ("s-cl2-si", "method.strength", "code"),
        ("p10-cl2-ewc-500", "method.strength", "choice"),
        ("p100-cl1-si", "method.strength", "paper"),
        ("p10-100x100-hat", "method.dropout", "choice"),
        ("p10-500x500-hat", "method.dropout", "code"),
        ("cifar-zenke-si", "method.strength", "code"),
        ("cifar-zenke-hnet", "method.hypernet.activation", "code"),
        ("fig2", "target.activation", "paper"),
        ("p10-cl1-hnet", "target.activation", "code"),
    ],
)
def test_the_last_rule_that_fits_holds(experiment: str, setting: str, source: str) -> None:
    assert sources.rule(experiment, setting).source == source


def test_a_setting_without_a_source_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "RULES", ())
    with pytest.raises(LookupError, match=r"'method\.beta' of 'new'"):
        sources.rule("new", "method.beta")
