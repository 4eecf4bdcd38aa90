"""What the code imports is what pyproject.toml asks for, and nothing is asked for in vain."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OWN = {"actors", "benchmarks", "orchestrator", "tests"}

DISTRIBUTIONS = {"jwt": "pyjwt", "re2": "google-re2", "yaml": "pyyaml"}
"""Import → distribution, where the names differ by more than case and hyphens."""

LOADED_BY_OTHERS = {
    "kubernetes-validate": "its data files are read, its code is not imported",
    "tzdata": "the database of zoneinfo",
}
NOT_IMPORTED = {
    "import-linter",
    "mypy",
    "pytest-asyncio",
    "pytest-xdist",
    "ruff",
    "types-psutil",
    "types-pyyaml",
}
"""Tools and plugins."""

OPTIONAL = {"matplotlib": "plots of `orchestrator bench`, which says how to get it"}
"""What the packages import where it is there: of the extra ``bench``."""

HOSTS = {"pytest", "pytest-asyncio"}
"""What loads the package that imports it: `orchestrator.testing` is a plugin of theirs."""

CLIENTS = {
    "aiohttp",
    "httpx2",
    "kopf",
    "kr8s",
    "kubernetes",
    "kubernetes-asyncio",
    "lightkube",
}
"""What `orchestrator.testing` helps with where a project has it."""

BROUGHT_ALONG = {"httpcore": "httpx's transport, of which it is the documented half"}
"""Parts of what is required."""


def imports(*trees: str) -> set[str]:
    """Return the distributions that the modules of some directories import."""
    found = set()
    for path in (path for tree in trees for path in (ROOT / tree).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {one.name.partition(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    found -= OWN | set(sys.stdlib_module_names)
    return {DISTRIBUTIONS.get(name, name.replace("_", "-").lower()) for name in found}


def required(extra: str | None = None) -> set[str]:
    """Return the distributions that pyproject.toml asks for, or those of one of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in lines}


def test_the_packages_require_what_they_import() -> None:
    """Neither less nor more."""
    others = OPTIONAL.keys() | HOSTS | CLIENTS | BROUGHT_ALONG.keys()
    assert imports("actors", "orchestrator") - others == required() - LOADED_BY_OTHERS.keys()
    assert others <= imports("orchestrator")


def test_the_test_extra_is_what_the_tests_import() -> None:
    """Beside the tools they run, and the peers of the benchmarks that they run."""
    peers = {"pykka", "thespian", *OPTIONAL}
    assert imports("tests") | NOT_IMPORTED | peers == required("test") | (
        imports("tests") & required()
    )


def test_the_bench_extra_is_what_the_benchmarks_import() -> None:
    """Beside what the packages bring."""
    assert imports("benchmarks") - required() | OPTIONAL.keys() == required("bench")
