"""The command `hnet`, as a user meets it: what it prints, where it leaves what, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hnetlib.experiments import record, registry
from hnetlib.experiments.report import pending, report

HNET = Path(sys.executable).with_name("hnet")
SHORT = ("--tier", "quick", "--set", "optimization.iterations=20")


def hnet(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    whole = {**os.environ, "COLUMNS": "200", **environment}
    done = subprocess.run([HNET, *arguments], capture_output=True, text=True, env=whole, timeout=300)
    assert "Traceback" not in done.stderr + done.stdout
    return done


def test_help_names_all_commands() -> None:
    said = hnet("--help").stdout
    for command in ("list", "run", "report", "data", "show", "check"):
        assert command in said
    assert "Exit status" in said


def test_list_and_report_give_json_for_programs() -> None:
    entries = json.loads(hnet("list", "--json").stdout)
    assert [entry["id"] for entry in entries] == list(registry.EXPERIMENTS)
    assert next(e for e in entries if e["id"] == "p10-cl1-hnet")["config"]["method"]["beta"] == 0.01
    rows = json.loads(hnet("report", "--json").stdout)
    assert len(rows) == len(report())
    assert {"id", "metric", "paper", "ours", "sem", "n", "tier", "status"} <= set(rows[0])


def test_report_in_markdown_is_a_table() -> None:
    lines = hnet("report", "--markdown").stdout.splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert len(lines) == len(report()) + 2


def test_a_run_a_second_call_and_a_look_at_the_record(tmp_path: Path) -> None:
    first = hnet("run", "s-cl3-hnet-ent", *SHORT, "--out", tmp_path)
    assert first.returncode == 0, first.stderr
    path = tmp_path / "s-cl1-hnet" / "quick" / "seed-0.json"
    assert "task 5 of 5" in first.stdout and path.exists()
    second = hnet("run", "s-cl1-hnet", *SHORT, "--out", tmp_path)
    assert second.returncode == 0 and "already" in second.stdout
    other = hnet("run", "s-cl1-hnet", *SHORT, "--set", "method.beta=5", "--out", tmp_path)
    assert other.returncode == 2 and "other settings" in other.stderr
    shown = hnet("show", path)
    assert "optimization.iterations" in shown.stdout and "commit" in shown.stdout


def test_time_that_is_up_is_status_3_and_the_next_call_goes_on(tmp_path: Path) -> None:
    command = ("run", "s-cl1-hnet", "--tier", "quick", "--out", tmp_path)
    stopped = hnet(*command, "--minutes", "0.01")
    assert stopped.returncode == 3 and "the next call goes on" in stopped.stdout
    assert hnet(*command).returncode == 0
    made = record.load(tmp_path / "s-cl1-hnet" / "quick" / "seed-0.json")
    assert made.provenance.resumed == 1


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("run",), 2, "Name experiments"),
        (("run", "nothing-like-it"), 2, "no experiment"),
        (("run", "fig2", "--set", "method.bta=1", "--out", "x"), 2, "method.beta"),
        (("run", "fig2", "--set", "method.beta=1"), 2, "--out"),
        (("run", "fig2", "--seeds", "a-b"), 2, "--seeds"),
        (("run", "fig2", "--seeds", "3-1"), 2, "--seeds"),
        (("run", "fig2", "--out", "README.md"), 2, "is a file"),
        (("run", "fig2", "--set", "tasks.num_tasks=5", "--out", "x"), 1, "three polynomials, not 5"),
        (("run", "fig2", "--set", "optimization.batch_size=0", "--out", "x"), 2, "greater than 0, got 0"),
        (("run", "s-cl1-hnet", *SHORT, "--set", "tasks.num_tasks=4", "--out", "x"), 1, "10 classes"),
        (("run", "s-cl1-hnet", *SHORT, "--set", "target.kind=resnet", "--out", "x"), 1, "colour pictures"),
        (("run", "fig2", "--device", "tpu"), 2, "--device"),
        (
            ("run", "s-cl1-ewc", "--set", "method.strength=-1", "--out", "x"),
            2,
            "method.strength: Input should be greater",
        ),
        (("run", "s-cl1-ewc", "--set", "method.name=bogus", "--out", "x"), 2, "'joint'"),
        (("run", "s-cl1-dgr", *SHORT, "--set", "method.name=hnet-r", "--out", "x"), 1, "hnet-r has other parts"),
        (("run", "p10-1000x1000-hat", *SHORT, "--set", "tasks.scenario=CL3", "--out", "x"), 1, "must be told the task"),
        (("data", "imagenet"), 1, "There is no data set"),
        (("show", "nothing"), 2, "cannot be read"),
        (("show", "[old]/[/x]"), 2, "[old]/[/x]"),
    ],
)
def test_a_mistake_gets_one_sentence(arguments: tuple[str, ...], status: int, said: str) -> None:
    done = hnet(*arguments)
    assert done.returncode == status
    assert said in done.stderr


def test_without_data_and_network_it_is_said_once_what_to_do_and_the_other_runs_go_on(tmp_path: Path) -> None:
    offline = {"HNETLIB_DATA": str(tmp_path / "cache"), "https_proxy": "http://127.0.0.1:9"}
    asked = ("s-cl1-hnet", "p10-cl1-hnet", "cifar-zenke-hnet", "fig2")
    short = ("--set", "optimization.iterations=5", "--out", tmp_path / "records")
    done = hnet("run", *asked, "--seeds", "0-1", *short, **offline)
    assert done.returncode == 1
    mnist, *cifar = done.stderr.strip().splitlines()
    assert "mnist is missing" in mnist and "HNETLIB_DATA" in mnist and mnist.endswith("left out for it: 4.")
    assert [line.split()[1] for line in cifar] == ["cifar10", "cifar100"]
    assert all(line.endswith("left out for it: 2.") for line in cifar)
    assert {path.parent.name for path in (tmp_path / "records").rglob("*.json")} == {"fig2"}
    assert done.stdout.count("worst_final") == 2


def test_list_pending_is_what_run_pending_takes(tmp_path: Path) -> None:
    record.place("fig2", 0, folder=tmp_path).parent.mkdir()
    record.place("fig2", 0, folder=tmp_path).touch()
    left = json.loads(hnet("list", "--pending", "--json", "--out", tmp_path).stdout)
    assert left == [{"id": name, "seed": seed} for name, seed in pending(tmp_path)]
    assert {"id": "fig2", "seed": 1} in left and {"id": "fig2", "seed": 0} not in left


def test_workers_run_side_by_side_and_one_that_is_killed_starts_again(tmp_path: Path) -> None:
    command: list[str | Path] = [
        HNET,
        "run",
        "s-cl1-hnet",
        "--seeds",
        "0-1",
        "--workers",
        "2",
        "--out",
        tmp_path,
        "--tier",
        "quick",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sweep:
        victim, until = "", time.monotonic() + 120
        while not victim and time.monotonic() < until:
            time.sleep(0.3)
            workers = subprocess.run(["pgrep", "-P", str(sweep.pid)], capture_output=True, text=True).stdout.split()
            victim = workers[0] if len(workers) == 2 else ""
        time.sleep(3)
        os.kill(int(victim), signal.SIGKILL)
        said, _ = sweep.communicate(timeout=300)
    assert sweep.returncode == 0
    assert said.count("final") == 2
    assert {r["seed"] for r in record.read("s-cl1-hnet", folder=tmp_path, tier="quick")} == {0, 1}


def test_a_ray_cluster_gives_the_same_record(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    alone = hnet("run", "fig4", *SHORT, "--out", tmp_path / "alone")
    assert alone.returncode == 0
    cluster = ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        address = cluster.address_info["address"]
        done = hnet("run", "fig4", *SHORT, "--out", tmp_path / "ray", "--ray", address)
    finally:
        ray.shutdown()
    assert done.returncode == 0, done.stderr
    one, other = (record.read("fig4", folder=tmp_path / name, tier="quick")[0] for name in ("alone", "ray"))
    assert record.arrays(other, tmp_path / "ray").keys() == record.arrays(one, tmp_path / "alone").keys()
    assert one["matrix"] == other["matrix"] and one["metrics"] == other["metrics"]


def test_no_ray_cluster_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    done = hnet("run", "fig2", *SHORT, "--out", tmp_path, "--ray", "127.0.0.1:1")
    assert done.returncode == 1 and "no Ray cluster" in done.stderr


def test_check_says_where_a_record_belongs_or_what_is_wrong_with_it(tmp_path: Path) -> None:
    good = record.place("s-cl1-hnet", 0)
    said = hnet("check", good)
    assert said.returncode == 0
    assert "belongs at data/results/s-cl1-hnet/seed-0.json" in said.stdout
    assert record.load(good).provenance.commit[:12] in said.stdout
    bad = tmp_path / "seed-0.json"
    bad.write_text(good.read_text().replace('"seed": 0', '"seed": -1'))
    said = hnet("check", good, bad)
    assert said.returncode == 1
    assert "good" in said.stdout and "Seeds count from 0" in said.stderr
