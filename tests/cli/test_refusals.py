"""What the command line says when it cannot start: what is wrong, where, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app as commands
from orchestrator.cli.options import UpOptions
from orchestrator.cli.up import run_up


def refusal(capsys: pytest.CaptureFixture[str], options: UpOptions) -> str:
    """Return what a start that fails prints."""
    assert run_up(options) == 1
    said = capsys.readouterr().err
    assert said.startswith("orchestrator up: ")
    assert "Traceback" not in said
    assert "[Errno" not in said
    return said


def test_a_data_directory_that_is_a_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the file stays as it is."""
    file = tmp_path / "file"
    file.write_text("mine")
    said = refusal(capsys, UpOptions(data_dir=file, port=0, runtime="simulated"))
    assert f"cannot keep the cluster's state in {file}: it is not a directory" in said
    assert file.read_text() == "mine"


def test_a_kubeconfig_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A path below a file."""
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "kubeconfig"
    options = UpOptions(kubeconfig=place, port=0, nodes=0, runtime="simulated")
    assert f"cannot write the kubeconfig to {place}: " in refusal(capsys, options)


def test_a_directory_for_the_kubeconfig_is_made(tmp_path: Path) -> None:
    """As kubectl itself makes it."""
    from orchestrator.api import write_kubeconfig

    place = tmp_path / "new" / "dir" / "kubeconfig"
    write_kubeconfig(place, "https://127.0.0.1:1")
    assert place.stat().st_mode & 0o777 == 0o600


def test_more_process_nodes_than_addresses_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The way out is in the message."""
    said = refusal(capsys, UpOptions(nodes=300, data_dir=tmp_path / "state", port=0))
    assert "only simulated nodes can be more" in said


def test_a_scheduler_configuration_with_faults_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them at once, before anything starts."""
    place = tmp_path / "scheduler.yaml"
    place.write_text(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
        "podInitialBackoffSeconds: 0\nnodes: 3\n"
    )
    said = refusal(capsys, UpOptions(scheduler_config=place, port=0, runtime="simulated"))
    assert f"{place}: invalid scheduler configuration:" in said
    assert 'unknown field "nodes"' in said
    assert "podInitialBackoffSeconds: Invalid value: 0: must be greater than 0" in said


@pytest.mark.parametrize("words", [["version"], ["--version"]])
def test_the_version_is_told_both_ways(words: list[str]) -> None:
    """Also by a program that is not installed."""
    result = CliRunner().invoke(commands.app, words)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("orchestrator ")
    assert "Kubernetes API v1.35.0" in result.output


def test_the_version_needs_no_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout has no metadata."""
    import importlib.metadata

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    result = CliRunner().invoke(commands.app, ["version"])
    assert result.exit_code == 0
    assert "run from its source" in result.output
