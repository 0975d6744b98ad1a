"""Registry, configurations, runs, records and report: what is asked for by name, and what it leaves."""

import json
from dataclasses import make_dataclass, replace
from pathlib import Path

import pytest
import torch

from hnetlib.checkpoint import Checkpoint
from hnetlib.errors import ConfigError, RecordError, UnknownExperimentError
from hnetlib.experiments import build as building
from hnetlib.experiments import config, record, registry, run
from hnetlib.experiments.check import faults
from hnetlib.experiments.report import measured, pending, report, status, value
from hnetlib.metrics import as_rows, learn_all
from hnetlib.networks import Mixed
from hnetlib.tasks import Scenario, Task

NAN = float("nan")
COMMITTED = sorted(record.RESULTS.rglob("seed-*.json"))
TARGETS = json.loads((record.PACKAGE / "experiments" / "paper" / "targets.json").read_text())["rows"]


def a_record(**changes: object) -> record.Record:
    origin = {**record.provenance(), "wall_seconds": 1.0, "resumed": 0}
    data: dict = {"experiment": "x", "seed": 0, "tier": "paper", "config": {}, "num_weights": {}, "metrics": {}}
    return record.Record(**{**data, "matrix": [[1.0]], "provenance": origin, **changes})


# -- registry and configurations


def test_every_row_of_the_paper_has_an_experiment() -> None:
    assert {row["id"] for row in TARGETS} == set(registry.ROWS)
    assert {name for name, _ in registry.ROWS.values()} <= set(registry.EXPERIMENTS)


def test_every_figure_with_curves_has_its_experiments() -> None:
    figures = {"fig2", "fig3a", "fig3b", "figA2a", "figA2b", "figA4", "figA5a", "figA5c", "figA6a", "figA6b", "figA7"}
    figures |= {"fig5", "figA3"}
    assert figures <= set(registry.FIGURES)
    assert all(name in registry.EXPERIMENTS for names in registry.FIGURES.values() for name in names)
    assert len(registry.FIGURES["fig3b"]) >= 8


def test_rows_that_share_a_trained_model_share_the_run() -> None:
    assert registry.find("p10-cl3-hnet-ent") == registry.find("p10-cl1-hnet")
    assert registry.ROWS["s-cl3-hnet-ent"] == ("s-cl1-hnet", "entropy")


@pytest.mark.parametrize(
    ("name", "target", "hypernetwork"),
    [
        ("p10-cl1-hnet", 2_126_100, 2_029_931 + 8),
        ("p10-cl2-hnet-ent", 2_036_010, 2_029_931),
        ("s-cl1-hnet", 478_410, 465_192 + 5 * 96),
        ("p10-cl1-hnet-small-target", 122_700, 121_819 + 640),
        ("fig2", 141, 1697),
    ],
)
def test_the_networks_have_the_papers_sizes(name: str, target: int, hypernetwork: int) -> None:
    entry = registry.EXPERIMENTS[name].config
    inputs, classes = {"permuted": (1024, 10), "split": (784, 2), "polynomials": (1, 0)}[entry.tasks.kind]
    outputs = Scenario[entry.tasks.scenario].num_outputs(entry.tasks.num_tasks, classes)
    head = slice(0, outputs) if outputs else None
    whole = run.sequences.Split(torch.zeros(1, inputs), torch.zeros(1))
    learner = building.build(entry, 0, [Task("whole", whole, whole, head)])
    assert isinstance(learner, run.HyperNetLearner)
    assert learner.target.num_weights == target
    assert learner.hnet.num_parameters(entry.tasks.num_tasks) == hypernetwork


@pytest.mark.parametrize(
    ("name", "target", "hypernetwork"),
    [
        ("cifar-resnet32-hnet", 468_540, 457_144 + 6 * 32),
        ("cifar-resnet32-statistics-generated", 468_540 + 2 * 1136, 457_144 + 6 * 32 + 32 + 65 * 64),
        ("cifar-zenke-hnet", 1_276_508, 1_182_390 + 6 * 48),
    ],
)
def test_so_have_those_for_cifar(name: str, target: int, hypernetwork: int) -> None:
    entry = registry.EXPERIMENTS[name].config
    half = run.sequences.Split(torch.zeros(1, 32, 32, 3, dtype=torch.uint8), torch.zeros(1))
    task = Task("whole", half, half, slice(0, 60), run.sequences.channels_first)
    learner = building.build(entry, 0, [task])
    assert isinstance(learner, run.HyperNetLearner)
    assert learner.target.num_weights == target
    assert learner.hnet.num_parameters(6) == hypernetwork


@pytest.mark.parametrize("name", ["cifar-resnet32-hnet", "cifar-resnet32-from-scratch"])
def test_checkpoints_at_the_papers_size_stay_below_16_mb(name: str, tmp_path: Path) -> None:
    sizes: list[int] = []

    class Weighed(Checkpoint):
        def save(self) -> None:
            super().save()
            sizes.append(self.path.stat().st_size)

    entry = config.with_values(registry.EXPERIMENTS[name].config, {"optimization.iterations": 2})
    half = run.sequences.Split(torch.randint(256, (4, 32, 32, 3), dtype=torch.uint8), torch.arange(4))
    tasks = [Task(str(t), half, half, slice(10 * t, 10 * t + 10), run.sequences.colours) for t in range(6)]
    learn_all(building.build(entry, 0, tasks), tasks, checkpoint=Weighed(tmp_path / "c", "run", every=0.0))
    assert len(sizes) == 18 and 5e6 < max(sizes) < 16e6


def test_a_setting_that_comes_later_ends_no_run() -> None:
    entry = registry.EXPERIMENTS["s-cl1-hnet"].config
    later = make_dataclass("Optimization", [("extra", int, 3)], bases=(config.Optimization,), frozen=True)
    known = run.fingerprint(entry, "cpu")
    assert run.fingerprint(replace(entry, optimization=later(**vars(entry.optimization))), "cpu") == known
    others = [
        replace(entry, optimization=later(**vars(entry.optimization), extra=4)),
        replace(entry, optimization=replace(entry.optimization, plateau=True)),
        replace(entry, method=config.FineTuning()),
        replace(entry, method=config.FromScratch()),
    ]
    assert len({known, run.fingerprint(entry, "cuda"), *(run.fingerprint(one, "cpu") for one in others)}) == 6


def test_a_task_on_cifar_is_so_many_epochs_and_the_reduced_tier_has_20() -> None:
    entry = registry.EXPERIMENTS["cifar-resnet32-hnet"].config
    for tier, epochs in (("paper", 200), ("reduced", 20)):
        wanted = config.at_tier(entry, tier).optimization  # type: ignore[arg-type]
        assert (wanted.epochs, wanted.iterations) == (epochs, epochs * 50_000 // 32)
        assert wanted.decay == registry.KERAS
    assert config.at_tier(registry.EXPERIMENTS["cifar-zenke-hnet"].config, "reduced").optimization.epochs == 20


def test_hat_at_the_reduced_tier_sees_the_data_five_times_or_twice() -> None:
    for name, passes in (("p10-1000x1000-hat", 5), ("p100-1000x1000-hat", 2)):
        wanted = config.at_tier(registry.EXPERIMENTS[name].config, "reduced").optimization
        assert wanted.iterations == passes * 60_000 // 64


def test_the_longest_sequences_have_a_fortieth_of_the_steps_at_the_reduced_tier() -> None:
    wanted = {"p100-cl1-hnet": 500, "p100-cl1-ewc": 500, "p100-cl3-hnet-tir": 125, "p10-cl2-hnet-tir": 500}
    for name, steps in (wanted | {"p250-cl1-hnet": 125}).items():
        assert config.at_tier(registry.EXPERIMENTS[name].config, "reduced").optimization.iterations == steps


def test_fine_tuning_and_from_scratch_on_cifar_are_the_papers() -> None:
    fine = registry.EXPERIMENTS["cifar-resnet32-fine-tuning"].config
    assert isinstance(fine.method, config.HNET)
    assert (fine.method.beta, fine.target.statistics) == (0.0, "running")
    tasks, _ = building.make_tasks(quick := config.at_tier(fine, "quick"), 0, "cpu")
    learner = building.build(quick, 0, tasks)
    assert isinstance(learner, run.HyperNetLearner) and not learner.store_buffers
    scratch = registry.EXPERIMENTS["cifar-resnet32-from-scratch"].config.method
    assert isinstance(scratch, config.FromScratch) and scratch.hypernet == registry.RESNET_HNET.hypernet


def test_convolutions_are_mixed_precision_at_the_reduced_tier_alone() -> None:
    entry = config.at_tier(registry.EXPERIMENTS["cifar-zenke-si"].config, "quick")
    tasks, _ = building.make_tasks(entry, 0, "cpu")
    assert not isinstance(building.network(entry, tasks), Mixed)
    assert isinstance(building.network(replace(entry, products="bfloat16"), tasks), Mixed)


def test_colour_networks_refuse_other_pictures() -> None:
    entry = config.with_values(registry.EXPERIMENTS["s-cl1-hnet"].config, {"target.kind": "resnet"})
    digits = config.at_tier(entry, "quick")
    with pytest.raises(ConfigError, match="A resnet takes colour pictures, not those of split"):
        building.build(digits, 0, building.make_tasks(digits, 0, "cpu")[0])
    with pytest.raises(ConfigError, match="split-cifar is of cifar or shapes in CL1, not digits CL1"):
        building.make_tasks(replace(digits, tasks=replace(digits.tasks, kind="split-cifar")), 0, "cpu")


def test_settings_can_be_changed_and_wrong_ones_are_refused() -> None:
    entry = registry.EXPERIMENTS["p10-cl1-hnet"].config
    changed = config.with_values(entry, {"method.beta": 0.5, "target.hidden": [10, 10]})
    assert isinstance(changed.method, config.HNET)
    assert (changed.method.beta, changed.target.hidden) == (0.5, (10, 10))
    for wrong, why in {"method.bta": "no setting", "method": "dictionary", "tasks.num_tasks": "integer"}.items():
        with pytest.raises(ConfigError, match=why):
            config.with_values(entry, {wrong: "many"})


def test_random_architectures_keep_to_the_papers_range_and_to_their_seed() -> None:
    entry = registry.EXPERIMENTS["figA7-split"]
    assert entry.draw
    drawn = [entry.draw(entry.config, seed) for seed in range(30)]
    assert drawn[3] == entry.draw(entry.config, 3)
    assert len({str(one) for one in drawn}) == 30
    for one in drawn:
        assert isinstance(one.method, config.HNET)
        assert 0.01 <= registry.count(one.method.hypernet, 478_410, 5) / 478_410 <= 2


def test_unknown_names_are_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownExperimentError, match="p10-cl1-hnet"):
        registry.find("p10-cl1-hnett")


# -- runs

SHORT = {"optimization.iterations": 30}


@pytest.mark.parametrize(
    "name",
    [
        "p10-cl1-hnet",
        "s-cl2-hnet-ent",
        "fig2",
        "figA7-split",
        "p250-cl1-hnet",
        "p100-cl1-fine-tuning",
        "p100-cl1-hnet",
        "p10-cl1-ewc",
        "p10-cl2-si",
        "s-cl3-ewc",
        "p10-cl3-si",
        "p10-cl1-from-scratch",
        "p10-cl1-joint",
        "p10-100x100-hat",
        "cifar-resnet32-from-scratch",
        "cifar-resnet32-statistics-generated",
        "cifar-zenke-si",
        "s-cl1-hnet-tir",
        "p10-cl3-hnet-r",
        "s-cl2-dgr",
        "p100-cl2-hnet-tir",
        "s-cl3-replay-upper-bound",
    ],
)
def test_a_run_leaves_a_whole_record_and_no_checkpoint(name: str, tmp_path: Path) -> None:
    job = run.Job(name, 3, "quick", SHORT, folder=tmp_path)
    result = record.load(run.execute(job))
    assert (result.experiment, result.seed, result.tier, result.changed) == (name, 3, "quick", SHORT)
    assert result.config["optimization"]["iterations"] == 30
    assert len(result.matrix) == result.config["tasks"]["num_tasks"]
    assert list(tmp_path.rglob("*.*")) == [job.path]
    again = record.load(run.execute(run.Job(name, 3, "quick", SHORT, folder=tmp_path / "again")))
    assert again.model_dump(exclude={"provenance"}) == result.model_dump(exclude={"provenance"})


def test_in_cl3_a_single_network_answers_among_all_classes_and_a_row_takes_that_number(tmp_path: Path) -> None:
    results = {}
    for name in ("s-cl1-si", "s-cl3-si", "s-cl2-hnet-ent"):
        path = run.execute(run.Job(name, 0, "quick", {"method.strength": 0.0} if "si" in name else {}, folder=tmp_path))
        results[name] = record.load(path)
    inferred = results["s-cl2-hnet-ent"]
    given, among_all = (record.as_matrix(results[name].model_dump()) for name in ("s-cl1-si", "s-cl3-si"))
    assert given[-1, 0] > 80 > 20 > among_all[-1, 0], "the newest digits take all answers"
    assert among_all[-1, -1] > 80 and among_all[0, 0] > 80
    for name, evaluation in (("s-cl3-si", "given"), ("p10-cl3-ewc", "given"), ("s-cl2-ewc", "given")):
        assert registry.ROWS[name] == (name, evaluation)
    assert registry.ROWS["s-cl2-hnet-ent"] == ("s-cl2-hnet-ent", "entropy")
    assert value(inferred.model_dump(), "final", "entropy") == inferred.inferred["entropy"].final
    assert inferred.inferred["entropy"].final < inferred.metrics["final"], "CL2 with the task inferred, not given"


def test_the_search_of_strengths_shares_the_rows_own_runs() -> None:
    for row in registry.SEARCH:
        names = registry.FIGURES[f"strengths-{row}"]
        assert names[0] == row and len(names) >= 2  # its own run first, the others by strength
        methods = [registry.EXPERIMENTS[name].config.method for name in names]
        found = [method.strength for method in methods if isinstance(method, (config.EWC, config.SI))]
        assert len(found) == len(names) == len(set(found)) and found[1:] == sorted(found[1:])
        assert {registry.EXPERIMENTS[name].config.tasks for name in names} == {registry.EXPERIMENTS[row].config.tasks}


def test_soft_targets_are_those_of_appendix_d() -> None:
    entry = config.at_tier(registry.EXPERIMENTS["p10-cl1-hnet-small-target-soft-targets"].config, "quick")
    tasks, _ = building.make_tasks(entry, 0, "cpu")
    outputs = torch.randn(4, 10)
    wanted = torch.full((4, 10), 0.05 / 9).index_put((torch.arange(4), torch.arange(4)), torch.tensor(0.95))
    expected = -(wanted * outputs.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(tasks[0].loss(outputs, torch.arange(4)), expected)


# -- records


@pytest.mark.parametrize(
    ("name", "setting"),
    [("cifar-resnet32-hnet", "method.label_smoothing"), ("s-cl1-hnet-tir", "method.classifier.label_smoothing")],
)
def test_smoothed_labels_reach_every_classifier_that_asks_for_them(name: str, setting: str) -> None:
    entry = config.with_values(config.at_tier(registry.EXPERIMENTS[name].config, "quick"), {setting: 0.1})
    tasks, _ = building.make_tasks(entry, 0, "cpu")
    sure, label = torch.tensor([[100.0, 0.0]]), torch.tensor([0])
    assert tasks[0].loss(sure, label) > 1


def test_an_installed_package_does_not_take_the_commit_of_a_repository_around_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(record, "REPOSITORY", Path(registry.__file__).parent)
    assert record.commit.__wrapped__() == "unknown"


def test_a_matrix_survives_the_way_to_json_and_back() -> None:
    matrix = torch.tensor([[97.123456, NAN], [96.5, 98.0]], dtype=torch.float64)
    back = record.as_matrix(json.loads(json.dumps({"matrix": as_rows(matrix)})))
    torch.testing.assert_close(back, matrix, atol=1e-4, rtol=0, equal_nan=True)


def test_records_are_found_by_seed_tier_and_in_order(tmp_path: Path) -> None:
    for seed in (11, 2):
        record.write(a_record(seed=seed), record.place("x", seed, folder=tmp_path))
    record.write(a_record(seed=5, tier="quick"), record.place("x", 5, "quick", tmp_path))
    assert [r["seed"] for r in record.read("x", folder=tmp_path)] == [2, 11]
    assert [r["seed"] for r in record.read("x", folder=tmp_path, tier="quick")] == [5]
    assert record.read("x", seed=11, folder=tmp_path)[0]["seed"] == 11
    assert record.read("y", folder=tmp_path) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"experiment": "x"}', "\ufffd\x00"])
def test_what_is_no_record_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "seed-0.json"
    path.write_text(content)
    with pytest.raises(RecordError, match=r"seed-0\.json is not a record"):
        record.load(path)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: str(path.relative_to(record.RESULTS)))
def test_a_committed_record_is_what_it_says(path: Path) -> None:
    """Stands in its place, comes from committed code, and has the paper's setting if it calls itself so."""
    result = record.load(path)
    assert path == record.place(result.experiment, result.seed, result.tier)
    assert faults(path) == []


def test_there_are_the_records_that_the_book_reads() -> None:
    assert [r["seed"] for r in record.read("p10-cl1-hnet")] == [0, 1, 2]
    assert len(record.read("fig2")) == 20


# -- report


def test_the_report_has_one_row_for_each_number_of_the_paper() -> None:
    rows = report()
    assert [(row.id, row.paper) for row in rows] == [(row["id"], row["value"]) for row in TARGETS]
    p10 = next(row for row in rows if row.id == "p10-cl1-hnet")
    assert (p10.status, p10.tier, p10.n) == ("reproduced", "paper", 3)
    assert p10.ours == pytest.approx(97.56, abs=0.05)


def test_the_report_takes_the_best_tier_and_no_changed_settings(tmp_path: Path) -> None:
    def leave(seed: int, tier: str, final: float, **changed: object) -> None:
        made = a_record(seed=seed, tier=tier, metrics={"final": final}, changed=changed)
        record.write(made, record.place("x", seed, tier, tmp_path))

    leave(0, "quick", 10.0)
    assert measured("x", "final", "given", tmp_path) == (None, [])
    leave(0, "reduced", 80.0)
    assert measured("x", "final", "given", tmp_path) == ("reduced", [80.0])
    leave(0, "paper", 90.0)
    leave(1, "paper", 95.0, beta=1)
    assert measured("x", "final", "given", tmp_path) == ("paper", [90.0])
    assert measured("x", "final", "entropy", tmp_path) == (None, [])


def test_a_row_that_the_paper_has_not_is_named() -> None:
    with pytest.raises(UnknownExperimentError, match="no row 'p100-cl1-hnet-tir'"):
        report(ids=["p100-cl1-hnet", "p100-cl1-hnet-tir"])


def test_what_counts_as_reproduced() -> None:
    assert status(-0.5, None, 0.01) == "reproduced"
    assert status(-0.51, None, 0.01) == "short"
    assert status(-1.4, 0.3, 0.4) == "reproduced", "three combined standard errors are 1.5"
    assert status(5.0, None, None) == "reproduced", "better is not short"


def test_pending_goes_through_all_experiments_before_it_repeats_one(tmp_path: Path) -> None:
    waiting = pending(tmp_path)
    assert waiting[: len(registry.EXPERIMENTS)] == [(name, 0) for name in registry.EXPERIMENTS]
    record.write(a_record(), record.place("p10-cl1-hnet", 0, folder=tmp_path))
    assert ("p10-cl1-hnet", 0) not in pending(tmp_path)
    assert ("p10-cl1-hnet", 19) in waiting and ("p10-cl1-hnet", 20) not in waiting
