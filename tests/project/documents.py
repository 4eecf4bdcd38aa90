"""Reads the commands and programs that the project's documents show.

In a fenced block marked ``console`` a line that starts with ``$ `` is a command and the lines after
it are what it prints; ``…`` stands for text that differs from run to run, alone on a line for any
number of lines. A command whose output is a refusal fails. A block marked ``python`` is a whole
program.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REFUSAL = re.compile(r"no|error: .*|Error from server .*|The .* is invalid: .*")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language and its text."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """One shown command and the lines it is said to print."""

    line: str
    output: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """Whether its output is kubectl's way to say no, with which it fails."""
        return any(REFUSAL.fullmatch(line) for line in self.output)


def blocks(document: Path) -> list[Block]:
    """Return the fenced blocks of a document in order."""
    return [Block(*found) for found in FENCE.findall(document.read_text())]


def commands(document: Path) -> list[Command]:
    """Return every command of a document's console blocks in order."""
    consoles = [block.text for block in blocks(document) if block.language == "console"]
    return [command for text in consoles for command in commands_of(text)]


def commands_of(text: str) -> list[Command]:
    """Return the commands of one console block."""
    found: list[Command] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:], ()))
        elif line.strip():
            last = found[-1]
            found[-1] = Command(last.line, (*last.output, line))
    return found


def differences(expected: tuple[str, ...], actual: str) -> list[str]:
    """Return the expected lines that the output lacks, in order; runs of blanks count as one."""
    pattern = r"\s*"
    rest = [" ".join(line.split()) for line in actual.splitlines() if line.strip()]
    missing = []
    anywhere = False
    for line in expected:
        wanted = " ".join(line.split())
        if wanted == "…":
            anywhere = True
            continue
        pattern = ".*".join(re.escape(part) for part in wanted.split("…"))
        places = range(len(rest)) if anywhere else range(min(1, len(rest)))
        at = next((i for i in places if re.fullmatch(pattern, rest[i])), None)
        if at is None:
            missing.append(line)
        else:
            del rest[: at + 1]
        anywhere = False
    return missing
