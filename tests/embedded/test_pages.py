"""What the library's pages show is run, and prints what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.embedded.pages import (
    DIRECTORY,
    PAGES,
    blocks,
    check_form,
    run_commands,
    run_pieces,
    write_files,
)
from tests.project.reference import PAGE, page

ROOT = DIRECTORY.parents[1]
TYPED = [path for path in PAGES if any(block.language == "console" for block in blocks(path))]
"""Pages whose commands run their tests."""
OPTIONS = (
    *("-q", "-rA", "--tb=short", "--import-mode=importlib"),
    *("-p", "no:cacheprovider", "-p", "asyncio", "-p", "orchestrator", "-o", "asyncio_mode=auto"),
    *("-p", "tests.stalls"),
)
DEADLINE = 400
"""Real seconds. It computes for eight, which took ninety where ten programs shared two processors.
A test that stands is told of by `tests.stalls` before."""
APP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "web:1"}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: green}
"""
PRELUDE = """
import pytest
from orchestrator import StatusError
await cluster.apply("app.yaml")
before = cluster.version
worker = cluster.image("worker:1")
web = cluster.image("web:1")
before = cluster.version
"""
"""What the examples in docstrings take to be there, beside `APP` in a file."""


def each_page(test: str) -> pytest.MarkDecorator:
    """Parametrize ``test`` by page."""
    return pytest.mark.parametrize(test, PAGES, ids=lambda path: path.stem)


def test_the_reference_is_what_the_docstrings_say() -> None:
    """Each public name is there, with its signature and its words."""
    rewrite = "python -m tests.project.reference"
    assert PAGE.read_text(encoding="utf-8") == page(), f"stale; {rewrite}"


def place_of(path: Path) -> str:
    """Return the directory of a page's files; by another name it would hide the module ``time``."""
    return f"page_{path.stem}"


@each_page("path")
def test_every_block_can_be_read(path: Path) -> None:
    """In the language that its fence names."""
    for block in blocks(path):
        check_form(block)


@pytest.mark.usefixtures("untidy")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@each_page("path")
def test_programs_and_pieces_run(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process; each prints what the page says."""
    monkeypatch.chdir(tmp_path)
    write_files(path, tmp_path)
    (tmp_path / "app.yaml").write_text(APP)
    run_pieces(path, PRELUDE if path == PAGE else "")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest said of the pages' tests: all of them in one run, each page in its directory."""
    top = tmp_path_factory.mktemp("pages")
    files = []
    for path in PAGES:
        if path in TYPED:
            continue
        directory = top / place_of(path)
        directory.mkdir()
        files += [f"{place_of(path)}/{name}" for name in write_files(path, directory)]
    if not files:
        return ""
    output = top / "output"
    with output.open("w") as written:  # not a pipe: what was said before a time-out is kept
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *OPTIONS, *files],
            cwd=top,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            stdout=written,
            stderr=subprocess.STDOUT,
        )
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.fail(f"the shown tests take over {DEADLINE} s:\n{output.read_text()}")
    return output.read_text()


@each_page("path")
def test_shown_tests_pass(path: Path, outcomes: str, tmp_path: Path) -> None:
    """Those of the pages are what a reader copies."""
    tests = [] if path in TYPED else write_files(path, tmp_path)
    for name in tests:
        passed = f"PASSED {place_of(path)}/{name}::"
        assert passed in outcomes, outcomes
        assert f"FAILED {place_of(path)}/{name}" not in outcomes, outcomes
        assert f"ERROR {place_of(path)}/{name}" not in outcomes, outcomes


@pytest.mark.parametrize("path", TYPED, ids=lambda path: path.stem)
def test_commands_print_what_is_shown(path: Path, tmp_path: Path) -> None:
    """Typed in order, beside the files as far as the page has got."""
    tools = Path(sys.executable).parent
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    for name in ("kubernetes", "kubernetes_asyncio"):  # kopf loads them, wherever they are
        (hidden / f"{name}.py").write_text("raise ImportError('a reader has not got this')\n")
    environment = {
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": f"{hidden}:{ROOT}",
        "PYTEST_ADDOPTS": "-p orchestrator -p no:cacheprovider",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    assert run_commands(path, tmp_path, environment)


def test_links_between_pages_lead_somewhere() -> None:
    """Files and headings, from the library's pages and from those that link to them."""
    for path in (*PAGES, ROOT / "README.md", ROOT / "docs" / "architecture.md"):
        for target, anchor in re.findall(r"\]\(([^)#:]*)(#[\w-]+)?\)", path.read_text()):
            file = (path.parent / target).resolve() if target else path
            assert file.exists(), f"{path.name}: {target}"
            if anchor and file.suffix == ".md":
                titles = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
                slugs = {
                    re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles
                }
                assert anchor[1:] in slugs, f"{path.name}: {target}{anchor}"
