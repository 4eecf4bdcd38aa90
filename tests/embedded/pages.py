"""Reads and runs what the library's pages (`docs/library`) show.

How a fenced block is treated follows from its language and its first line:

- ``python`` with a first line ``# NAME.py``, or ``yaml`` with ``# NAME.yaml``: a file. It is
  written to the page's directory; if it has tests, they are run.
- ``python`` that calls ``asyncio.run``: a whole program.
- any other ``python``: a piece. The pieces below one heading run in turn, in a function that may
  await, with ``cluster`` at hand, which is new for each heading.
- ``text`` right after a program or a piece: what it prints; ``…`` stands for anything.
- ``console``: commands, run in a directory that has the files shown up to there; ``pip`` is left
  out (`tests.project.documents`). On a page that has some, they run the tests.
- ``py``: Python to look at: it can be parsed. ``yaml``, ``toml``, ``ini``: the same.
"""

from __future__ import annotations

import ast
import asyncio
import configparser
import contextlib
import inspect
import io
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import yaml

from orchestrator import Cluster
from tests.project.documents import Command, commands_of, differences

DIRECTORY: Final = Path(__file__).resolve().parents[2] / "docs" / "library"
PAGES: Final = sorted(DIRECTORY.glob("*.md"))
EPOCH: Final = 1_767_225_600.0
"""When the clusters of the pages begin: 2026-01-01T00:00:00Z."""

PATIENCE: Final = 60.0
"""Real seconds that a piece may take: some fifty times as many as it does alone on a processor."""

COMMAND_SECONDS: Final = 300.0
"""The same for a command."""

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^#+ .*$", re.MULTILINE)
_FILE: Final = re.compile(r"# ([\w./-]+\.(py|yaml|ini|toml))\n")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    Attributes:
        language: What the fence says.
        text: What is in it.
        line: Of the page, its first one.
        heading: The one it stands below.
        printed: The ``text`` block that follows at once, None where none does.
    """

    language: str
    text: str
    line: int
    heading: str
    printed: str | None

    @property
    def file(self) -> str | None:
        """The name of the file that it shows, if it is one."""
        match = _FILE.match(self.text)
        return match[1] if match and self.language in ("python", "yaml", "ini", "toml") else None

    @property
    def is_program(self) -> bool:
        """Whether it runs by itself."""
        return self.language == "python" and not self.file and "asyncio.run(" in self.text

    @property
    def is_piece(self) -> bool:
        """Whether it runs with the others below its heading."""
        return self.language == "python" and not self.file and not self.is_program


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    found = list(_FENCE.finditer(text))
    inside = [range(match.start(), match.end()) for match in found]
    headings = [
        match
        for match in _HEADING.finditer(text)
        if not any(match.start() in one for one in inside)
    ]
    result = []
    for match, after in zip(found, [*found[1:], None], strict=True):
        above = [one[0] for one in headings if one.start() < match.start()]
        follows = after is not None and not text[match.end() : after.start()].strip()
        printed = after[2] if after and follows and after[1] == "text" else None
        line = text.count("\n", 0, match.start(2)) + 1
        result.append(Block(match[1], match[2], line, above[-1] if above else "", printed))
    return result


def check_form(block: Block) -> None:
    """Fail unless a block that is only looked at can be read in its language."""
    if block.language in ("py", "python"):
        ast.parse(block.text) if block.language == "py" else _compiled(block, "page")
    elif block.language == "yaml":
        assert list(yaml.safe_load_all(block.text))
    elif block.language == "toml":
        assert tomllib.loads(block.text)
    elif block.language == "ini":
        configparser.ConfigParser().read_string(block.text)
    else:
        assert block.language in ("console", "text"), f"line {block.line}: what is this?"


def write_files(page: Path, directory: Path) -> list[str]:
    """Write the files that a page shows; return the names of those that have tests."""
    tests = []
    for block in blocks(page):
        if block.file:
            write_file(block, directory)
            if "def test_" in block.text:
                tests.append(block.file)
    return tests


def write_file(block: Block, directory: Path) -> None:
    """Write the file that a block shows."""
    assert block.file, f"line {block.line} shows no file"
    target = directory / block.file
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(block.text, encoding="utf-8")


def run_commands(page: Path, directory: Path, environment: dict[str, str]) -> int:
    """Write a page's files and run its commands in its order; return how many were run."""
    count = 0
    for block in blocks(page):
        if block.file:
            write_file(block, directory)
        elif block.language == "console":
            for command in commands_of(block.text):
                if not command.line.startswith("pip "):
                    _run_command(command, directory, environment)
                    count += 1
    return count


def _run_command(command: Command, directory: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-c", command.line],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )
    assert done.returncode == 0, f"$ {command.line}\n{done.stdout}"
    missing = differences(command.output, done.stdout)
    assert not missing, f"$ {command.line}\n{done.stdout}\nand not:\n" + "\n".join(missing)


def run_pieces(page: Path, prelude: str = "") -> None:
    """Run a page's programs and pieces in this process, in its order.

    Args:
        page: Which.
        prelude: A piece that is run below each heading before the page's.
    """
    for _, group in groupby(blocks(page), key=lambda block: block.heading):
        pieces = []
        for block in group:
            if block.is_program:
                with _printing(block):
                    exec(_compiled(block, page.name), {"__name__": "__main__"})
            elif block.is_piece and not ('"kubectl"' in block.text and not shutil.which("kubectl")):
                pieces.append(block)
        if pieces:
            asyncio.run(_run_together(pieces, page.name, prelude))


async def _run_together(pieces: list[Block], name: str, prelude: str) -> None:
    async with Cluster(seed=1, epoch=EPOCH) as cluster:
        names: dict[str, Any] = {"cluster": cluster, "Cluster": Cluster, "__name__": "__main__"}
        if prelude:
            await _run(Block("python", prelude, 1, "", None), "prelude", names)
        for block in pieces:
            with _printing(block):
                try:
                    async with asyncio.timeout(PATIENCE):
                        await _run(block, name, names)
                except TimeoutError as error:
                    if type(error) is not TimeoutError:
                        raise
                    raise AssertionError(f"line {block.line} takes over {PATIENCE} s") from error


async def _run(block: Block, name: str, names: dict[str, Any]) -> None:
    code = _compiled(block, name)
    result = eval(code, names)
    if code.co_flags & inspect.CO_COROUTINE:
        await result


def _compiled(block: Block, name: str) -> Any:
    text = "\n" * (block.line - 1) + block.text  # tracebacks name the page's lines
    return compile(text, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


@contextlib.contextmanager
def _printing(block: Block) -> Iterator[None]:
    """Fail unless the block prints what the page says, or nothing where it says nothing."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        yield
    output = printed.getvalue()
    if block.printed is None:
        assert not output, f"line {block.line} prints, and the page does not say what:\n{output}"
        return
    missing = differences(tuple(block.printed.splitlines()), output)
    assert not missing, f"line {block.line} printed:\n{output}\nand not:\n" + "\n".join(missing)
