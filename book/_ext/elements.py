"""How far the reproduction is: every figure and table of the paper, and the experiments that stand for it."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hnetlib.experiments import record
from hnetlib.experiments.registry import EXPERIMENTS, FIGURES, ROWS
from hnetlib.experiments.report import Row

# What the paper shows, in its order. What has no experiment is drawn (Figs. 1 and A1) or proved (Proposition 1).
ELEMENTS = {
    "Fig. 1": "a network that is generated, whole and in chunks",
    "Fig. 2": "three polynomials, one after another",
    "Fig. 3": "a hundred permuted tasks; accuracy over compression",
    "Fig. 4": "a two-dimensional space of task embeddings",
    "Fig. 5": "CIFAR-10 and 100 with a ResNet-32",
    "Fig. A1": "replay models and their use",
    "Fig. A2": "strength of the regularizer, size of the hypernetwork",
    "Fig. A3": "CIFAR-10 and 100 with the network of Zenke and others",
    "Fig. A4": "a hundred permuted tasks, the task not given",
    "Fig. A5": "strength of EWC; fine-tuning",
    "Fig. A6": "strengths of SI and EWC",
    "Fig. A7": "random architectures",
    "Fig. A8": "pictures drawn by protected generators",
    "Table 1": "permuted and split MNIST, three scenarios",
    "Table 2": "replay beside its upper bound",
    "Table 3": "accuracy during and after learning",
    "Table 4": "PermutedMNIST-100",
    "Table 5": "CIFAR-10 and 100",
    "Table 6": "hypernetworks beside hard attention",
    "Proposition 1": "chunked hypernetworks can approximate anything",
    "Small target": "a target network of 100 and 100 units (Appendix D)",
    "PermutedMNIST-50": "fifty tasks, a small target (Appendix D)",
    "PermutedMNIST-250": "250 tasks, 32 of them protected a step (Appendix D)",
}
# Numbers that the paper gives in the text of Appendix D, by how their ids begin.
IN_THE_TEXT = {"p10-": "Small target", "p50-": "PermutedMNIST-50", "p250-": "PermutedMNIST-250", "cifar-": "Fig. A3"}


@dataclass(frozen=True)
class Progress:
    """Records behind an element of the paper."""

    tiers: dict[str, str | None]  # experiment -> best tier that has a record; None: pending
    seeds: dict[str, int]  # experiment -> records at that tier

    @property
    def counts(self) -> Counter[str]:
        """Experiments at the paper's tier, at the reduced one, and pending."""
        return Counter(tier or "pending" for tier in self.tiers.values())

    @property
    def state(self) -> str:
        """The tier that all have reached; "in part": some have no record; "" where there is nothing to run."""
        if not self.tiers:
            return ""
        pending, reduced = self.counts["pending"], self.counts["reduced"]
        if pending:
            return "pending" if pending == len(self.tiers) else "in part"
        return "reduced" if reduced else "paper"


def element(row: Row) -> str:
    """Where in the paper one of its numbers stands."""
    if row.where.startswith("Appendix"):
        return next(name for start, name in IN_THE_TEXT.items() if row.id.startswith(start))
    found = re.match(r"Table \d|Fig\. A?\d", row.where)
    assert found, row.where
    return found[0]


def experiments(name: str, rows: list[Row]) -> list[str]:
    """The experiments of a figure or table, each once."""
    curves = [
        entry
        for figure, entries in FIGURES.items()
        if (number := re.fullmatch(r"fig(A?\d)[a-d]?", figure)) and name == f"Fig. {number[1]}"
        for entry in entries
    ]
    return list(dict.fromkeys(curves + [ROWS[row.id][0] for row in rows if element(row) == name]))


def progress(name: str, rows: list[Row], folder: Path | None = None) -> Progress:
    """How far an element is, by the records in a folder; `rows` as `report` gives them."""
    runs = {experiment: record.best(experiment, folder) for experiment in experiments(name, rows)}
    assert runs.keys() <= EXPERIMENTS.keys()
    tiers = {experiment: found[0]["tier"] if found else None for experiment, found in runs.items()}
    return Progress(tiers, {experiment: len(found) for experiment, found in runs.items()})


def method(row: Row) -> str:
    """The method of a row: "hnet", "hnet-ent" (the task inferred by entropy), "ewc", ..."""
    experiment, evaluation = ROWS[row.id]
    return EXPERIMENTS[experiment].config.method.name + ("-ent" if evaluation == "entropy" else "")
