"""Every command that docs/benchmarks.md shows prints what it says."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.bench.scheduling.cases import OPCODES
from orchestrator.cli.app import app
from tests.project.documents import Command, commands, differences

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "benchmarks.md"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the checkout's ``docs``, in which commands are run."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(command: Command) -> str:
    """Run a command as a shell would, ``orchestrator`` in this process; return all it printed."""
    words = shlex.split(command.line)
    if words[0] == "orchestrator":
        return CliRunner().invoke(app, words[1:]).output
    done = subprocess.run(command.line, shell=True, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_shown_commands_print_what_the_document_says(directory: Path) -> None:
    """In their order, since some need a file that one before them wrote."""
    assert directory.is_dir()
    for command in commands(DOCUMENT):
        output = printed(command)
        missing = differences(command.output, output)
        assert not missing, f"$ {command.line}\nprinted:\n{output}\nand not:\n" + "\n".join(missing)


def test_every_operation_is_explained() -> None:
    """By a row of the table."""
    text = DOCUMENT.read_text()
    assert all(f"| `{opcode}` |" in text for opcode in OPCODES)
