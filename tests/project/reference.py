"""Writes the library's reference from its docstrings.

``python -m tests.project.reference`` makes `docs/library/reference.md` anew; a test fails while the
page is stale. What is on it: `SECTIONS`, and whatever else the packages export.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from orchestrator.testing import plugin, settings

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "library" / "reference.md"
PACKAGES: Final = ("orchestrator", "orchestrator.embedded", "orchestrator.testing")
PARTS: Final = "orchestrator.embedded.cluster."
"""Where the parts of `Cluster` are, which nobody needs to know of."""
LINE: Final = 92
"""Characters after which a signature takes a line for each parameter."""

SECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "The cluster": (
        "orchestrator.embedded.cluster.Cluster",
        "orchestrator.embedded.kinds.manifests.Source",
        "orchestrator.embedded.waiting.conditions.Condition",
    ),
    "Time": (
        "orchestrator.embedded.clock.clocks.ClusterClock",
        "orchestrator.embedded.clock.clocks.Mode",
    ),
    "The client": (
        "orchestrator.embedded.client.client.Client",
        "orchestrator.embedded.client.client.WatchEvent",
        "orchestrator.embedded.client.conversing.CommandResult",
        "orchestrator.embedded.access.permissions.Permission",
    ),
    "What pods do": (
        "orchestrator.embedded.containers.images.Image",
        "orchestrator.embedded.containers.containers.Container",
        "orchestrator.embedded.containers.containers.Termination",
        "orchestrator.embedded.containers.containers.Exit",
        "orchestrator.embedded.containers.commands.Command",
        "orchestrator.embedded.containers.commands.Connection",
        "orchestrator.embedded.containers.commands.ExecFunction",
        "orchestrator.embedded.containers.commands.PortFunction",
        "orchestrator.embedded.containers.serving.Request",
        "orchestrator.embedded.containers.serving.HttpFunction",
    ),
    "Kinds and webhooks": (
        "orchestrator.embedded.webhooks.server.Webhook",
        "orchestrator.embedded.webhooks.server.Handler",
        "orchestrator.embedded.webhooks.server.Verdict",
        "orchestrator.embedded.webhooks.server.Converter",
    ),
    "Nodes": (
        "orchestrator.embedded.nodes.nodes.Nodes",
        "orchestrator.embedded.nodes.nodes.NodeHandle",
        "orchestrator.embedded.nodes.nodes.State",
        "orchestrator.embedded.errors.DrainError",
    ),
    "Faults": (
        "orchestrator.embedded.faults.faults.Faults",
        "orchestrator.api.faults.ApiFault",
        "orchestrator.api.faults.ApiRequest",
    ),
    "The past": (
        "orchestrator.embedded.travel.past.Past",
        "orchestrator.embedded.travel.changes.Difference",
        "orchestrator.embedded.travel.changes.ObjectChange",
        "orchestrator.embedded.travel.changes.Revisions",
        "orchestrator.embedded.travel.changes.Revision",
        "orchestrator.resources.differences.FieldChange",
        "orchestrator.embedded.travel.snapshots.ClusterSnapshot",
    ),
    "Beside operators": (
        "orchestrator.testing.operators.kopf_operator",
        "orchestrator.testing.operators.KopfOperator",
        "orchestrator.testing.operators.SyncKopfOperator",
        "orchestrator.testing.operator_logs.HandlerFailure",
    ),
    "Clients of other libraries": (
        "orchestrator.testing.clients.lightkube_client",
        "orchestrator.testing.clients.kubernetes_client",
        "orchestrator.testing.clients.kubernetes_asyncio_client",
        "orchestrator.testing.clients.kr8s_client",
    ),
    "Without asyncio": ("orchestrator.embedded.sync.cluster.SyncCluster",),
    "Errors": (
        "orchestrator.resources.errors.StatusError",
        "orchestrator.embedded.errors.ClusterError",
        "orchestrator.embedded.errors.WaitTimeoutError",
        "orchestrator.embedded.errors.ApplyError",
        "orchestrator.store.history.VersionError",
        "orchestrator.embedded.travel.changes.UnknownObjectError",
    ),
}
CONSTRUCTED: Final = {"Cluster", "Exit"}
"""Classes that users make themselves; all others they are given."""
HIDDEN: Final = {"ApiFault.strikes", "ClusterSnapshot.check", "ClusterSnapshot.put_back"}
"""Methods that are for the cluster, not for its users."""
ELSEWHERE: Final = {"ClusterConfig"}
"""Exported, but a daemon's settings: their own docstring is enough for who gives ``config``."""

_PARTS: Final = re.compile(r"^(Args|Returns|Raises|Attributes|Yields):\n", re.MULTILINE)
_TITLES: Final = {"Args": "Arguments"}
_ENTRY: Final = re.compile(r"^(\S[^:]*): (.*)", re.DOTALL)
_NAME: Final = re.compile(r"(?<!`)`([A-Za-z_][\w.]*)`(?!`)")


class Entry(NamedTuple):
    """One class, function or type on the page."""

    name: str
    value: Any
    path: str


def entries() -> dict[str, list[Entry]]:
    """Return what is documented, by section; what no section names comes last.

    Raises:
        AttributeError: A section names what is not there.
    """
    found = {title: [_entry(path) for path in paths] for title, paths in SECTIONS.items()}
    known = {id(entry.value) for listed in found.values() for entry in listed}
    rest: dict[str, Entry] = {}
    for package in map(importlib.import_module, PACKAGES):
        for name in getattr(package, "__all__", ()):
            value = getattr(package, name)
            if id(value) not in known and name not in ELSEWHERE:
                rest.setdefault(name, Entry(name, value, f"{package.__name__}.{name}"))
    if rest:
        found["More"] = [rest[name] for name in sorted(rest)]
    return found


def _entry(path: str) -> Entry:
    module, _, name = path.rpartition(".")
    return Entry(name, getattr(importlib.import_module(module), name), path)


def page() -> str:
    """Return the page."""
    listed = entries()
    anchors = {
        name: anchor
        for found in listed.values()
        for entry in found
        for name, anchor in _names(entry)
    }
    lines = [
        "# Reference",
        "",
        "Made from the docstrings by `python -m tests.project.reference`; change those, not this.",
        "",
    ]
    for title, found in listed.items():
        shown = ", ".join(f"[{entry.name}](#{_anchor(entry.name)})" for entry in found)
        lines.append(f"- **{title}**: {shown}")
    lines.append(
        "- **In pytest**: [Fixtures](#fixtures), [the marker](#the-marker), [Options](#options)"
    )
    for title, found in listed.items():
        lines += ["", f"## {title}"]
        for entry in found:
            lines += ["", *_described(entry, anchors)]
    lines += ["", "## In pytest", "", *_pytest(anchors)]
    return "\n".join(lines) + "\n"


class _Options:
    """Takes the place of pytest's parser, to hear of the plugin's options."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def getgroup(self, *_: Any) -> _Options:
        return self

    def addoption(self, name: str, **given: Any) -> None:
        value = "" if given.get("action") else f" {name[2:].rsplit('-', maxsplit=1)[-1].upper()}"
        self.told.append(f"- `{name}{value}`: {given['help']}")

    def addini(self, *_: Any, **__: Any) -> None:
        """Each has the name and the words of an option."""


def _pytest(anchors: dict[str, str]) -> Iterator[str]:
    """Describe the plugin: pytest loads it by itself where the library is installed."""
    source = ast.parse(inspect.getsource(plugin))
    yield "### Fixtures"
    for node in source.body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        scopes = [
            "session" if "session" in ast.unparse(decorator) else "function"
            for decorator in node.decorator_list
            if "pytest.fixture" in ast.unparse(decorator)
        ]
        if scopes:
            assert node.returns is not None, f"{node.name} says no type"
            returns = re.sub(r"^Iterator\[(.*)\]$", r"\1", ast.unparse(node.returns))
            yield from ("", f"#### {node.name}", "", "```py")
            yield from (f"{node.name}: {returns}  # scope: {scopes[0]}", "```", "")
            yield from _text(ast.get_docstring(node) or "", anchors, "Cluster")
    (marker,) = (
        ast.literal_eval(node.args[1])
        for node in ast.walk(source)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("addinivalue_line")
    )
    signature, _, said = marker.partition(": ")
    yield from ("", "### The marker", "", f"`@pytest.mark.{signature}`: {said}.")
    options = _Options()
    settings.add_options(options)  # type: ignore[arg-type] # it only needs what this has
    yield from ("", "### Options", "")
    yield "Each may stand in the configuration file too: `cluster_nodes = 5`."
    yield from ("", *options.told)


def _anchor(text: str) -> str:
    return re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-")


def _names(entry: Entry) -> Iterator[tuple[str, str]]:
    yield entry.name, _anchor(entry.name)
    if inspect.isclass(entry.value):
        for name, _ in _members(entry):
            yield f"{entry.name}.{name}", _anchor(f"{entry.name}.{name}")


def _described(entry: Entry, anchors: dict[str, str]) -> Iterator[str]:
    yield f"### {entry.name}"
    if not inspect.isclass(entry.value):
        yield from ("", *_callable_or_type(entry, anchors))
        return
    doc = inspect.getdoc(entry.value) or ""
    if entry.name in CONSTRUCTED:
        yield from ("", *_stub(entry.value.__init__, "def __init__", f"class {entry.name}:"))
        given = inspect.getdoc(entry.value.__init__) or ""
        yield from ("", *_text(doc, anchors, entry.name))
        yield from ("", *_text(given, anchors, entry.name))
    else:
        yield from ("", *_text(doc, anchors, entry.name))
    for name, member in _members(entry):
        yield from ("", f"#### {entry.name}.{name}", "")
        yield from _member(name, member, anchors, entry.name)


def _members(entry: Entry) -> list[tuple[str, Any]]:
    """Return a class's public methods and properties, as they are written; its parts' first."""
    return [
        (name, member)
        for part in _parts(entry.value)
        for name, member in vars(part).items()
        if not name.startswith("_")
        and f"{entry.name}.{name}" not in HIDDEN
        and (
            inspect.isfunction(member)
            or isinstance(member, (property, functools.cached_property, classmethod, staticmethod))
        )
        and inspect.getdoc(member)
    ]


def _parts(value: type) -> list[type]:
    """Return a class and those of its bases that are there for it alone, they first."""
    bases = [base for base in value.__bases__ if base.__module__.startswith(PARTS)]
    found = dict.fromkeys(part for base in bases for part in _parts(base))
    return [*found, value]


def _member(name: str, member: Any, anchors: dict[str, str], owner: str) -> Iterator[str]:
    if isinstance(member, (property, functools.cached_property)):
        getter = member.fget if isinstance(member, property) else member.func
        returns = getattr(getter, "__annotations__", {}).get("return", "Any")
        yield from ("```py", f"{name}: {_annotation(returns)}", "```")
    else:
        function = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
        yield from _signature(name, function)
    yield from ("", *_text(inspect.getdoc(member) or "", anchors, owner))


def _signature(name: str, function: Any) -> Iterator[str]:
    unwrapped = inspect.unwrap(function)
    waits = inspect.iscoroutinefunction(unwrapped)
    if hasattr(function, "__wrapped__"):
        block = "asynccontextmanager" if inspect.isasyncgenfunction(unwrapped) else "contextmanager"
        yield from _stub(
            unwrapped, f"async def {name}" if block[0] == "a" else f"def {name}", f"@{block}"
        )
    else:
        yield from _stub(unwrapped, f"async def {name}" if waits else f"def {name}")


def _callable_or_type(entry: Entry, anchors: dict[str, str]) -> Iterator[str]:
    if callable(entry.value) and inspect.getdoc(entry.value) and hasattr(entry.value, "__name__"):
        yield from _signature(entry.name, entry.value)
        yield from ("", *_text(inspect.getdoc(entry.value) or "", anchors, entry.name))
        return
    module = importlib.import_module(entry.path.rpartition(".")[0])
    value, doc = _assignment(module, entry.name)
    yield from ("```py", f"{entry.name} = {value}", "```", "", *_text(doc, anchors, entry.name))


def _assignment(module: Any, name: str) -> tuple[str, str]:
    """Return the source of a module's constant, and the string that stands below it."""
    body = ast.parse(inspect.getsource(module)).body
    for at, node in enumerate(body):
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(target, ast.Name) and target.id == name:
            after = body[at + 1]
            assert node.value is not None, f"{module.__name__}.{name} has no value"
            assert isinstance(after, ast.Expr), f"{module.__name__}.{name} has no docstring"
            assert isinstance(after.value, ast.Constant), f"{name} has no docstring"
            written = ast.unparse(node.value).strip("'\"")
            return written, inspect.cleandoc(str(after.value.value))
    raise AttributeError(f"{module.__name__} does not assign {name}")


# -- signatures


def _stub(function: Any, head: str, *above: str) -> Iterator[str]:
    signature = inspect.signature(function)
    given = [one for one in signature.parameters.values() if one.name not in ("self", "cls")]
    returns = signature.return_annotation
    arrow = "" if returns is signature.empty else f" -> {_annotation(returns)}"
    if head == "def __init__":
        arrow = ""
    indent = "    " if above and above[0].startswith("class ") else ""
    pieces = list(_parameters(given))
    one = f"{indent}{head}({', '.join(pieces)}){arrow}: ..."
    yield from ("```py", *above)
    if len(one) <= LINE:
        yield one
    else:
        yield f"{indent}{head}("
        yield from (f"{indent}    {piece}," for piece in pieces)
        yield f"{indent}){arrow}: ..."
    yield "```"


def _parameters(given: list[inspect.Parameter]) -> Iterator[str]:
    starred = False
    for one in given:
        if one.kind is one.VAR_POSITIONAL:
            starred = True
        if one.kind is one.KEYWORD_ONLY and not starred:
            starred = True
            yield "*"
        star = "*" if one.kind is one.VAR_POSITIONAL else ""
        star = "**" if one.kind is one.VAR_KEYWORD else star
        typed = "" if one.annotation is one.empty else f": {_annotation(one.annotation)}"
        equals = " = " if typed else "="
        default = "" if one.default is one.empty else f"{equals}{_value(one.default)}"
        yield f"{star}{one.name}{typed}{default}"


def _annotation(annotation: Any) -> str:
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return text.replace("'", '"')


def _value(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if re.fullmatch(r"[\w.'\"()\[\]{}, :/*=-]*", text) else "..."


# -- docstrings


def _text(doc: str, anchors: dict[str, str], owner: str) -> Iterator[str]:
    """Return a Google-style docstring as Markdown."""
    first, *parts = _PARTS.split(doc)
    yield from _linked(first.strip(), anchors, owner).splitlines()
    for title, part in zip(parts[::2], parts[1::2], strict=True):
        inside = [line for line in part.splitlines() if line.startswith("    ") or not line.strip()]
        after = "\n".join(line for line in part.splitlines() if line not in inside).strip()
        told = textwrap.dedent("\n".join(inside)).strip()
        listed = [("", told)] if title in ("Returns", "Yields") else list(_items(told))
        yield from ("", f"{_TITLES.get(title, title)}:", "")
        for name, text in listed:
            told = _linked(" ".join(text.split()), anchors, owner)
            shown = _linked(f"`{name}`", anchors, owner) if title == "Raises" else f"`{name}`"
            yield f"- {shown}: {told}" if name else f"- {told}"
        if after:
            yield from ("", *_linked(after, anchors, owner).splitlines())


def _items(part: str) -> Iterator[tuple[str, str]]:
    """Yield the entries of a section: lines that begin at its margin, and what belongs to them."""
    pieces: list[str] = []
    for line in part.splitlines():
        if line and not line.startswith(" "):
            pieces.append(line)
        elif pieces:
            pieces[-1] += f"\n{line}"
    joined = ["\n".join(pieces)] if pieces and not _ENTRY.match(pieces[0]) else pieces
    for piece in joined:
        match = _ENTRY.match(piece)
        yield (match[1].lstrip("*"), match[2]) if match else ("", piece)


def _linked(text: str, anchors: dict[str, str], owner: str) -> str:
    """Link what is named in backquotes to its place on the page, code blocks left alone."""

    def link(match: re.Match[str]) -> str:
        name = match[1]
        anchor = anchors.get(f"{owner}.{name}") or anchors.get(name)
        return f"[`{name}`](#{anchor})" if anchor else match[0]

    pieces = re.split(r"(```.*?```)", text, flags=re.DOTALL)
    return "".join(
        piece if piece.startswith("```") else _NAME.sub(link, piece).replace("``", "`")
        for piece in pieces
    )


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
