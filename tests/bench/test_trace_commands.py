"""The commands as a user types them: files in, tables, JSON and plots out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from orchestrator.bench.words import amount, duration, percent
from orchestrator.cli.app import app
from tests.bench.clusters import dump, node, pod, pod_file
from tests.bench.test_importers import NODES, PODS

NO_PODS = "there are no pods in it, so all nodes are taken to be empty"
PACKED = Path(__file__).resolve().parents[2] / "docs" / "examples" / "planning" / "packed.yaml"


def bench(*words: str | Path, code: int = 0) -> Result:
    """Run ``orchestrator bench``."""
    done = CliRunner().invoke(app, ["bench", *map(str, words)])
    assert done.exit_code == code, done.output
    return done


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A made-up trace."""
    path = tmp_path / "t.jsonl"
    done = bench("generate", "-o", path, "--pods", "120", "--nodes", "4", "--rate", "0.05")
    assert done.output == f"{path}: 124 records\n"
    return path


def test_policies_are_compared(tmp_path: Path, trace: Path) -> None:
    """A column for each; the packing one uses fewer nodes; the same again gives the same."""
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    policies = ("--policy", "spread=default", "--policy", PACKED)
    words: tuple[str | Path, ...] = ("compare", "--trace", trace, *policies)
    done = bench(*words, "--json", first)
    lines = done.output.splitlines()
    assert lines[0] == "t.jsonl: 124 records, seed 1"
    assert lines[2].split() == ["spread", "packed"]
    assert len({len(line) for line in lines[2:] if "pods arrived" in line or "end" in line}) == 1
    bench(*words, "--json", second)
    told = json.loads(first.read_text())
    assert told.keys() >= {"machine", "commit", "seed", "trace", "results"}
    assert told["results"] == json.loads(second.read_text())["results"]
    spread, packed = told["results"]
    assert spread["pods"] == packed["pods"] == 120
    assert packed["nodes_used_mean"] < spread["nodes_used_mean"]
    assert spread["moments"][-1]["used"] == {"cpu": 0.0, "memory": 0.0, "gpu": None}


def test_plots_are_drawn(tmp_path: Path, trace: Path) -> None:
    """Six SVG files with the policies' names in them."""
    done = bench("compare", "--trace", trace, "--policy", "a=default", "--plot", tmp_path / "p")
    drawn = sorted((tmp_path / "p").iterdir())
    assert [path.stem for path in drawn] == [
        "fragmentation", "nodes", "pending", "unplaced", "utilisation", "waiting",
    ]  # fmt: skip
    for path in drawn:
        assert f"drawn: {path}" in done.output
        assert ET.fromstring(path.read_text()).tag.endswith("svg")
        assert ">a</text>" in path.read_text()


def test_json_on_the_output_is_alone_there(trace: Path) -> None:
    """The table goes to standard error then."""
    done = bench("compare", "--trace", trace, "--json", "-")
    assert json.loads(done.stdout)["results"][0]["policy"] == "default"
    assert "pods arrived" in done.stderr


def test_a_published_trace_is_read_as_it_is(tmp_path: Path) -> None:
    """Nodes and pods in files of their own, or imported first: the results are the same."""
    nodes, pods, own = tmp_path / "n.csv", tmp_path / "p.csv", tmp_path / "own.csv.gz"
    nodes.write_text(NODES)
    pods.write_text(PODS)
    done = bench("import", nodes, pods, "-o", own)
    assert done.stdout == f"{own}: 5 records\n"
    assert "note: a share of a GPU counts as alibabacloud.com/gpu-milli" in done.stderr
    outputs = []
    for files in ((nodes, pods), (own,)):
        words = [word for path in files for word in ("--trace", path)]
        done = bench("compare", *words, "--json", "-")
        outputs.append(json.loads(done.stdout)["results"])
    assert outputs[0] == outputs[1]
    assert outputs[0][0]["pods"] == 3


def test_a_comparison_can_begin_with_a_cluster(tmp_path: Path, trace: Path) -> None:
    """Its pods are there from the beginning, on their nodes, and are no arrivals."""
    cluster = dump(tmp_path, node("mine", cpu="64", memory="256Gi"), pod("x", "mine", cpu="32"))
    done = bench("compare", "--from-cluster", cluster, "--trace", trace, "--json", "-")
    (result,) = json.loads(done.stdout)["results"]
    assert (result["pods"], result["nodes"]) == (120, 5)
    assert result["moments"][-1]["used"]["cpu"] == 32 / 128


def test_a_question_is_answered_in_words_and_json(tmp_path: Path) -> None:
    """Aligned, and complete."""
    cluster = dump(tmp_path, node("a"), node("b", cpu="2"))
    answer = tmp_path / "a.json"
    done = bench("plan", "--from-cluster", cluster, "--fit", pod_file(tmp_path), "--json", answer)
    lines = done.stdout.splitlines()
    assert lines[:4] == [
        "6 more web pods fit on 2 nodes",
        "node  pods  what stops the next one there",
        "a        4  Insufficient cpu",
        "b        2  Insufficient cpu",
    ]
    assert lines[4].startswith("the next one: 0/2 nodes are available: 2 Insufficient cpu.")
    told = json.loads(answer.read_text())
    assert (told["question"], told["count"], told["seed"]) == ("fit", 6, 1)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["plan"], "ask one of --fit, --without and --nodes-needed"),
        (["plan", "--nodes-needed"], "--nodes-needed wants to know for what: --load"),
        (["plan", "--without", "a"], "which cluster? --from-cluster"),
        (["plan", "--without", "a", "--nodes-needed"], "ask one of"),
        (["generate", "-o", "x", "--rate", "0"], "must be above 0"),
        (["import", "{file}", "-o", "x", "--gpu-shares", "half"], "milli or whole"),
        (["compare", "--trace", "{file}"], "of no known format"),
        (["compare", "--trace", "{file}", "--policy", "{file}"], "a,b"),
        (["compare", "--trace", "{file}", "--policy", "none.yaml"], "cannot be read: No such file"),
        (
            ["compare", "--trace", "{file}", "--policy", "default", "--policy", "default"],
            "two policies are called default; name one of them: --policy NAME=default",
        ),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(
    tmp_path: Path, words: list[str], complaint: str
) -> None:
    """On standard error, with code 2, without a traceback."""
    file = tmp_path / "a,b"
    file.write_text("a,b\n1,2\n")
    done = bench(*(word.replace("{file}", str(file)) for word in words), code=2)
    assert complaint in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.output
    assert done.stdout == ""


def test_a_reader_that_has_enough_ends_it_quietly(tmp_path: Path) -> None:
    """As with ``| head``: no complaint, no traceback."""
    nodes = (node(f"n{number}") for number in range(40))
    command = [sys.executable, "-m", "orchestrator.cli", "bench", "plan"]
    command += ["--from-cluster", str(dump(tmp_path, *nodes)), "--fit", str(pod_file(tmp_path))]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    finally:
        os.close(writer)
    assert done.returncode == 1
    assert done.stderr == f"note: {tmp_path / 'dump.json'}: {NO_PODS}\n"


def test_figures_are_written_as_people_read_them() -> None:
    """Times, shares, amounts."""
    times = [None, 0, 0.25, 12, 12.5, 200, 7500, 273_600]
    assert [duration(time) for time in times] == [
        "-", "0s", "250ms", "12s", "12.5s", "3m20s", "2h05m", "3d04h",
    ]  # fmt: skip
    assert [percent(None), percent(0.1234)] == ["-", "12.3 %"]
    assert [amount("cpu", 1500), amount("gpu", 4000), amount("memory", 2**31)] == [
        "1.5", "4", "2.0Gi",
    ]  # fmt: skip
