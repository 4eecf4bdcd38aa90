"""What ``docs/scheduling.md`` shows, apart from its programs, which the end-to-end tests run."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from orchestrator.cli import app as commands_of_cli
from orchestrator.scheduler.configuration import parse_configuration
from orchestrator.scheduler.extending import plugins
from orchestrator.scheduler.extending.registry import find_plugins, registry_of
from orchestrator.scheduler.gangs import GROUP_LABEL, MIN_MEMBER
from tests.project.documents import blocks, commands, differences

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "scheduling.md"

WRONG = """
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
nodes: 3
podInitialBackoffSeconds: 0
profiles:
- plugins: {filter: {enabled: [{name: Unheard}]}}
"""


def test_every_shown_configuration_is_valid() -> None:
    """And the pod has what the text says of it."""
    registry = registry_of(find_plugins())
    read = []
    for block in blocks(DOCUMENT):
        if block.language != "yaml":
            continue
        document = yaml.safe_load(block.text)
        if document["kind"] == "KubeSchedulerConfiguration":
            read.append(parse_configuration(document, registry))
        else:
            assert GROUP_LABEL in document["metadata"]["labels"]
            assert MIN_MEMBER in document["metadata"]["annotations"]
    assert len(read) == 2
    packing = read[0].by_name["packing"]
    assert dict(packing.scores)["NodeResourcesFit"] == 5
    assert "NodeResourcesBalancedAllocation" not in dict(packing.scores)
    assert packing.arguments.pod_topology_spread.constraints == ()
    assert read[1].profiles[0].permits == ("Coscheduling",)


def test_every_shown_command_prints_what_it_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Those that end."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "wrong.yaml").write_text(WRONG)
    monkeypatch.chdir(tmp_path)
    shown = [command for command in commands(DOCUMENT) if command.output]
    assert len(shown) == 2
    for command in shown:
        words = shlex.split(command.line)
        result = CliRunner().invoke(commands_of_cli.app, words[1:])
        assert not differences(command.output, result.output), result.output


def test_every_method_of_a_plugin_is_in_the_table() -> None:
    """So that nobody has to read the source to find one."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for method in [*plugins._METHODS, "normalise", "hint"]:
        assert f"`{method}(" in text, method
