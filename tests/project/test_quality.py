"""The project's own rules hold: style, format, types and the direction of imports."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

EXCEPTION = re.compile(r"#\s*(?:ruff:\s*)?(?:noqa|type:\s*ignore)(?P<rest>.*)")
REASON = re.compile(r"(?:: [A-Z]+\d+(?:, ?[A-Z]+\d+)*|\[[a-z-]+(?:, ?[a-z-]+)*\])\W+\w+")

CHECKS = {
    "ruff-check": [sys.executable, "-m", "ruff", "check", "."],
    "ruff-format": [sys.executable, "-m", "ruff", "format", "--check", "."],
    "mypy-strict": [sys.executable, "-m", "mypy", "actors", "orchestrator", "tests", "benchmarks"],
    "import-contracts": [str(Path(sys.executable).with_name("lint-imports"))],
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_tree_passes(check: str) -> None:
    """Each tool runs over the whole tree and finds nothing."""
    done = subprocess.run(
        CHECKS[check], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{' '.join(CHECKS[check])}\n{done.stdout}{done.stderr}"


def test_an_exception_from_a_rule_has_a_reason() -> None:
    """The codes it is for and, behind them, why."""
    bare = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for tree in ("actors", "orchestrator", "tests", "benchmarks")
        for path in (ROOT / tree).rglob("*.py")
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (found := EXCEPTION.search(line)) and not REASON.match(found["rest"])
    ]
    assert bare == []
