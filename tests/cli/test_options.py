"""The options of ``up``: what the quick way reads, and what it leaves to typer."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app as commands
from orchestrator.cli.options import UpOptions, read_plainly

PLAIN: list[list[str]] = [
    [],
    ["--nodes", "5", "--port=0"],
    ["--data-dir=/tmp/a=b", "--kubeconfig", "k"],
    ["--insecure-http", "--log-json", "--log-level", "debug"],
    ["--runtime", "simulated", "--host=::1", "--kubernetes-version=1.35"],
    ["--nodes=1", "--nodes=2"],
    ["--authorization-mode=AlwaysAllow"],
    ["--scheduler-config", "scheduler.yaml"],
    ["--no-metrics"],
]


@pytest.mark.parametrize("words", PLAIN, ids=" ".join)
def test_the_quick_way_reads_what_typer_reads(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same words, same options."""
    seen: list[UpOptions] = []

    def run_up(options: UpOptions) -> int:
        seen.append(options)
        return 0

    monkeypatch.setattr("orchestrator.cli.up.run_up", run_up)
    result = CliRunner().invoke(commands.app, ["up", *words])
    assert result.exit_code == 0, result.output
    assert [read_plainly(words)] == seen


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--nodes"],
        ["--nodes=-1"],
        ["--nodes=100001"],
        ["--nodes", "many"],
        ["--port=65536"],
        ["--runtime=docker"],
        ["--authorization-mode=rbac"],
        ["--insecure-http=yes"],
        ["--data-dir="],
        ["--data-dir", "--port=0"],
        ["--por=0"],
        ["extra"],
    ],
    ids=" ".join,
)
def test_what_is_unusual_is_left_to_typer(words: list[str]) -> None:
    """It knows how to say what is wrong."""
    assert read_plainly(words) is None


def test_every_option_has_a_default_of_its_type() -> None:
    """The quick way tells switches from values by the defaults."""
    defaults: dict[str, Any] = {field.name: field.default for field in fields(UpOptions)}
    assert UpOptions(**defaults) == UpOptions()
    assert {name for name, value in defaults.items() if value is False} == {
        "insecure_http",
        "log_json",
        "no_metrics",
    }


def test_a_daemon_loads_nothing_that_only_the_terminal_needs() -> None:
    """They cost a tenth of a second and some twenty megabytes."""
    script = (
        "import sys, orchestrator.cli.options, orchestrator.cli.up, orchestrator.cluster, "
        "orchestrator.api.serving; "
        "print(sorted({'rich', 'typer', 'pydantic', 'pygments', 'cryptography', 'psutil', "
        "'hypothesis', 'kubernetes_validate'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        timeout=60,
    )
    assert done.stdout.strip() == "[]"
