"""Every command and program that the documents show is run, and prints what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.cli.demo.manifests import as_yaml
from tests.e2e.daemon import Daemon
from tests.project.documents import Block, Command, blocks, commands, differences

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = [
    pytest.param(document, block, id=f"{document.name}-{number}")
    for document in DOCUMENTS
    for number, block in enumerate(blocks(document))
    if block.language == "python"
]


class Shell:
    """One bash that runs commands in turn, as a person types them."""

    def __init__(self, directory: Path, path: str) -> None:
        self.process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=directory,
            env={"PATH": path, "HOME": str(directory), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, line: str) -> tuple[int, str]:
        """Run one line; return its exit code and what it printed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        mark = uuid.uuid4().hex
        self.process.stdin.write(f"{line} </dev/null\necho {mark} $?\n")
        self.process.stdin.flush()
        output = ""
        for got in self.process.stdout:
            if mark in got:
                before, _, code = got.partition(mark)
                return int(code), output + before
            output += got
        raise AssertionError(f"the shell ended: {output}")

    def close(self) -> None:
        """End it."""
        self.process.communicate(timeout=30)


@pytest.fixture
def user(tmp_path: Path) -> Iterator[tuple[Shell, Path]]:
    """A shell in a directory with the checkout's ``docs``, its ``orchestrator`` on the PATH."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    tools = tmp_path / "bin"
    tools.mkdir()
    command = tools / "orchestrator"
    command.write_text(
        f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m orchestrator.cli "$@"\n'
    )
    command.chmod(0o755)
    shell = Shell(tmp_path, f"{tools}:{os.environ['PATH']}")
    yield shell, tmp_path
    shell.close()


def check(command: Command, code: int, output: str) -> None:
    """Fail unless the command ended and printed as the document says."""
    assert (code != 0) == command.refused, f"$ {command.line}\n{output}"
    missing = differences(command.output, output)
    assert not missing, f"$ {command.line}\nprinted:\n{output}\nand not:\n" + "\n".join(missing)


def test_the_tour_prints_what_the_readme_says(
    user: tuple[Shell, Path],
    kubectl: Path,
    kubectl_minor: Callable[[Path], int],
    require_program: Callable[[str], str],
) -> None:
    """The README's tour, typed in order: one terminal for the cluster, one for kubectl."""
    require_program("curl")
    shell, directory = user
    tour = commands(ROOT / "README.md")
    (start,) = [command for command in tour if command.line.startswith("orchestrator up")]
    assert start.line == ("orchestrator up --nodes 3 --data-dir ./state --kubeconfig ./kubeconfig")
    daemon = Daemon(directory, "--port=6443").start()
    try:
        rest = daemon.process
        assert rest is not None
        assert rest.stdout is not None
        output = daemon.output + "".join(rest.stdout.readline() for _ in range(2))
        expected = [line.replace("./kubeconfig", str(daemon.kubeconfig)) for line in start.output]
        assert not differences(tuple(expected), output)
        for command in tour:
            if command.line.startswith(("pip ", "orchestrator ")):
                continue
            if command.line.startswith("kubectl explain") and kubectl_minor(kubectl) < 27:
                continue  # it wants OpenAPI v2 with all definitions
            check(command, *shell.run(command.line))
    finally:
        if daemon.process is not None and daemon.process.poll() is None:
            assert daemon.stop() == 0


def test_the_planning_example_prints_what_it_says(
    user: tuple[Shell, Path], require_program: Callable[[str], str]
) -> None:
    """``docs/planning.md``, typed in order, beside a cluster that pretends to run its pods."""
    require_program("kubectl")
    shell, directory = user
    example = commands(ROOT / "docs" / "planning.md")
    start = example.pop(0)
    assert start.line == ("orchestrator up --nodes 4 --runtime simulated --kubeconfig ./kubeconfig")
    daemon = Daemon(directory, "--nodes=4", "--runtime=simulated").start()
    try:
        for command in example:
            code, output = shell.run(command.line)
            some_fit_nowhere = "--without" in command.line  # which the code says, for scripts
            check(command, 0 if code == some_fit_nowhere else 1, output)
    finally:
        assert daemon.stop() == 0
    for plot in ("utilisation", "fragmentation", "pending", "waiting", "nodes", "unplaced"):
        assert (directory / "plots" / f"{plot}.svg").read_text().startswith("<?xml")


def test_a_fresh_installation_runs_the_demo(
    tmp_path: Path, require_program: Callable[[str], str]
) -> None:
    """The README's first command, in a new virtual environment, from a copy of the checkout."""
    (install,) = [c for c in commands(ROOT / "README.md") if c.line.endswith("orchestrator demo")]
    checkout = tmp_path / "checkout"
    listed = subprocess.run(
        [require_program("git"), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if not (ROOT / name).is_file():
            continue  # deleted, and not yet committed
        target = checkout / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True, timeout=120)
    done = subprocess.run(
        ["bash", "-c", install.line],
        cwd=checkout,
        env={**os.environ, "PATH": f"{tmp_path}/venv/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    check(install, done.returncode, done.stdout + done.stderr)


def test_the_readme_names_the_test_command_that_ci_runs() -> None:
    """CI runs the README's second command."""
    (line,) = [c.line for c in commands(ROOT / "README.md") if "&& pytest" in c.line]
    assert line == "pip install '.[test]' && pytest -n 3 --dist loadfile"
    script = (ROOT / ".ci" / "run").read_text()
    assert "'.[test]'" in script
    command = line.partition(" && ")[2]
    assert re.search(rf"\nORCHESTRATOR_TEST_COMPLETE=1 timeout \d+ {command}", script)


def test_the_example_is_the_demos() -> None:
    """``docs/examples/web.yaml`` is what the demo applies."""
    assert (ROOT / "docs" / "examples" / "web.yaml").read_text() == as_yaml()


@pytest.mark.parametrize(("document", "block"), PROGRAMS)
def test_a_shown_program_runs(document: Path, block: Block, tmp_path: Path) -> None:
    """Each Python block is a whole program that ends well, and prints the ``text`` below it."""
    program = tmp_path / "program.py"
    program.write_text(block.text)
    done = subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    shown, _, after = document.read_text().partition(f"```python\n{block.text}```\n\n```text\n")
    if after:
        expected = after.partition("```\n")[0].splitlines()
        assert shown
        assert not differences(tuple(expected), done.stdout), done.stdout
