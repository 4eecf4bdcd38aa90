"""Lists what every package exports: ``python -m tests.project.exports`` prints `exports.txt`."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("exports.txt")
TREES = ("actors", "orchestrator")


def packages() -> dict[str, ast.Module]:
    """Return dotted name → parsed ``__init__`` of every package, sorted."""
    found = {}
    for tree in TREES:
        for path in (ROOT / tree).rglob("__init__.py"):
            name = ".".join(path.parent.relative_to(ROOT).parts)
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return dict(sorted(found.items()))


def is_namespace(package: ast.Module) -> bool:
    """Tell whether a package exports nothing: its modules are what one imports."""
    return len(package.body) == 1 and ast.get_docstring(package) is not None


def exports() -> list[str]:
    """Return ``package.name`` for every exported name, sorted.

    Raises:
        AttributeError: A package has no ``__all__``, or one that names what is not there.
    """
    found = []
    for name, source in packages().items():
        if is_namespace(source):
            continue
        package = importlib.import_module(name)
        for exported in package.__all__:
            getattr(package, exported)
            found.append(f"{name}.{exported}")
    return sorted(found)


if __name__ == "__main__":
    print("\n".join(exports()))  # noqa: T201 - a command's output
