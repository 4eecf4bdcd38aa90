"""The harness's commands on a terminal: what they print, write, refuse, and how they end."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.bench.scheduling import measuring
from orchestrator.bench.scheduling.checking import Violation
from orchestrator.cli.app import app

RUNNER = CliRunner()
BASIC = ("bench", "scheduling", "--workload", "SchedulingBasic/5000Nodes_10000Pods", "--nodes", "4")


def test_results_come_as_a_table_as_json_and_as_a_plot(tmp_path: Path) -> None:
    """All from one run; plain where nobody looks."""
    record, plot = tmp_path / "r.json", tmp_path / "r.svg"
    done = RUNNER.invoke(app, [*BASIC, "--seed", "3", "--json", str(record), "--plot", str(plot)])
    assert done.exit_code == 0, done.output
    heading, core, store, *_ = done.stdout.splitlines()
    assert heading.split()[:5] == ["workload", "nodes", "pods", "path", "pods/s"]
    assert core.split()[:4] == ["SchedulingBasic", "4", "8", "core"]
    assert store.split()[:4] == ["SchedulingBasic", "4", "8", "store"]
    assert "\x1b" not in done.stdout
    assert "All 18 placements were checked." in done.stdout
    told = json.loads(record.read_text())
    assert told["seed"] == 3
    assert told["machine"]["cores"] > 0
    assert told["commit"]
    assert told["failures"] == []
    keys = "workload nodes pods path pods_per_second p50_ms p90_ms p99_ms baseline_pods_per_second"
    for result in told["results"]:
        assert set(keys.split()) <= result.keys()
    assert {result["path"] for result in told["results"]} == {"core", "store"}
    drawn = plot.read_text()
    assert "</svg>" in drawn
    assert "SchedulingBasic" in drawn


def test_json_on_standard_output_is_alone_there() -> None:
    """The table goes to standard error."""
    done = RUNNER.invoke(app, [*BASIC, "--path", "core", "--json", "-"])
    assert json.loads(done.stdout)["results"][0]["path"] == "core"
    assert "placements were checked" in done.stderr


def test_a_broken_rule_ends_with_1_and_names_pod_and_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """And there are no figures."""
    wrong = Violation(("default", "p"), "NodeAffinity", "node-1 is not selected")
    monkeypatch.setattr(measuring, "check", lambda *_: [wrong])
    done = RUNNER.invoke(app, [*BASIC, "--path", "core"])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "has no figures: its placements are wrong" in done.stderr
    assert "pod default/p breaks NodeAffinity: node-1 is not selected" in done.stderr


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--workload", "Basic"], "there is no workload 'Basic'."),
        (["--file", "none.yaml"], "cannot read none.yaml: No such file or directory"),
        (["--json", "no/such/file.json"], "cannot write no/such/file.json: there is no directory"),
        (["--curve", "nodes", "--workload", "SchedulingBasic"], "leave out --workload and --file"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line(options: list[str], complaint: str) -> None:
    """Before anything runs, with exit code 2."""
    done = RUNNER.invoke(app, ["bench", "scheduling", *options])
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert complaint in line


def test_a_plot_without_matplotlib_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before anything runs."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = RUNNER.invoke(app, [*BASIC, "--plot", str(tmp_path / "p.svg")])
    assert done.exit_code == 2
    assert "pip install 'orchestrator[bench]'" in done.stderr


def test_a_cluster_is_measured_and_told() -> None:
    """As a table with memory and log."""
    done = RUNNER.invoke(app, ["bench", "cluster", "--nodes", "2", "--pods", "10"])
    assert done.exit_code == 0, done.output
    heading, row, *_ = done.stdout.splitlines()
    assert heading.split()[-2:] == ["memory/pod", "log/pod"]
    assert row.split()[:2] == ["2", "10"]
