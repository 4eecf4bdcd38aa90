"""The message catalogue lists the messages that there are, no more and no fewer."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECTION = re.compile(r"^## .*\(`(?P<module>[\w.]+)`\)$", re.MULTILINE)
ROW = re.compile(r"^\| (?P<names>`[^|]*`) \|", re.MULTILINE)


def catalogue() -> dict[str, set[str]]:
    """Return module → message names, as the page has them."""
    text = (ROOT / "docs" / "messages.md").read_text()
    found = {}
    sections = list(SECTION.finditer(text))
    for section, following in zip(sections, [*sections[1:], None], strict=True):
        part = text[section.end() : following.start() if following else None]
        rows = [row["names"] for row in ROW.finditer(part)]
        found[section["module"]] = {name.strip("` ") for row in rows for name in row.split(",")}
    return found


def handled(module: str) -> set[str]:
    """Return the message names that a module's actor is typed with."""
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text()
    tree = ast.parse(source)
    aliases: dict[str, ast.expr] = {}
    actors: list[ast.expr] = []
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            aliases[node.target.id] = node.value
        if isinstance(node, ast.ClassDef):
            actors += [
                base.slice
                for base in node.bases
                if isinstance(base, ast.Subscript)
                and isinstance(base.value, ast.Name)
                and base.value.id in {"Actor", "BatchActor"}
            ]
    return {name for actor in actors for name in names(actor, aliases)}


def names(expression: ast.expr, aliases: dict[str, ast.expr]) -> set[str]:
    """Return the class names of a union, aliases resolved."""
    if isinstance(expression, ast.BinOp):
        return names(expression.left, aliases) | names(expression.right, aliases)
    assert isinstance(expression, ast.Name), ast.dump(expression)
    if expression.id in aliases:
        return names(aliases[expression.id], aliases)
    return {expression.id}


def actor_modules() -> list[str]:
    """Return the modules of ``orchestrator`` that define an actor."""
    return sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "orchestrator").rglob("*.py")
        if re.search(r"^class \w+\((Batch)?Actor\[", path.read_text(), re.MULTILINE)
    )


def test_every_actor_is_in_the_catalogue() -> None:
    """Each module with an actor has a section, and each section a module."""
    assert sorted(catalogue()) == actor_modules()


@pytest.mark.parametrize("module", actor_modules())
def test_the_catalogue_lists_an_actors_messages(module: str) -> None:
    """The names of a section are the members of its actor's message type."""
    assert catalogue()[module] == handled(module)
