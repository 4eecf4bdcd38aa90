"""Packages say what they are, and what they export changes in sight of a reviewer only."""

from __future__ import annotations

import ast

from tests.project.exports import LIST, ROOT, TREES, exports

MODULES = sorted(path for tree in TREES for path in (ROOT / tree).rglob("*.py"))


def test_the_exported_names_are_those_checked_in() -> None:
    """Each of them once; where a change is meant, the message tells how to check it in."""
    known = LIST.read_text(encoding="utf-8").split()
    now = exports()
    rewrite = "if meant: python -m tests.project.exports > tests/project/exports.txt"
    assert sorted(set(now) - set(known)) == [], f"new; {rewrite}"
    assert sorted(set(known) - set(now)) == [], f"gone; {rewrite}"
    assert known == now
    assert len(set(now)) == len(now)


def test_every_module_says_what_it_is_for() -> None:
    """In a docstring, private modules included."""
    bare = [
        path.relative_to(ROOT).as_posix()
        for path in MODULES
        if ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None
    ]
    assert bare == []
