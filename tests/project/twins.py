"""Writes ``orchestrator/embedded/sync/twins/``: ``python -m tests.project.twins``.

Each public method of the asynchronous classes gets a small typed wrapper there, made from its
source; a test asks whoever changed one to run this again. What a method returns decides what its
twin does: a coroutine is waited for, a context of an iterator becomes a `Stream`, another context
is entered, and an object that has a twin itself is wrapped.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE: Final = "orchestrator.embedded.sync.twins"
TARGET = ROOT.joinpath(*PACKAGE.split("."))

TWINS: Final = {
    "orchestrator.embedded.clock.clocks.ClusterClock": "SyncClock",
    "orchestrator.embedded.client.client.Client": "SyncClient",
    "orchestrator.api.faults.rules.ApiFault": "SyncFault",
    "orchestrator.embedded.faults.faults.Faults": "SyncFaults",
    "orchestrator.embedded.nodes.nodes.NodeHandle": "SyncNode",
    "orchestrator.embedded.nodes.nodes.Nodes": "SyncNodes",
    "orchestrator.embedded.cluster.life.ClusterLife": "SyncLife",
    "orchestrator.embedded.cluster.access.ClusterAccess": "SyncAccess",
    "orchestrator.embedded.cluster.objects.ClusterObjects": "SyncObjects",
    "orchestrator.embedded.cluster.extensions.ClusterExtensions": "SyncExtensions",
    "orchestrator.embedded.cluster.images.ClusterImages": "SyncImages",
    "orchestrator.embedded.cluster.troubles.ClusterTroubles": "SyncTroubles",
    "orchestrator.embedded.cluster.past.ClusterPast": "SyncPast",
    "orchestrator.embedded.cluster.cluster.Cluster": "SyncMethods",
}
"""Asynchronous class → its twin, in a module of the same name."""

LEFT_OUT: Final = frozenset({
    "httpx_transport",  # of Cluster: for clients in its own loop
    "start", "stop", "sync", "fork",  # of Cluster: its twin's life is written by hand
    "waiting", "driven", "until",  # of ClusterClock: for those who build on it
})  # fmt: skip
SPECIAL: Final = frozenset(
    {"__getitem__", "__iter__", "__len__", "__contains__", "__enter__", "__exit__", "__repr__"}
)
"""Special methods that twins have too."""

_HEADER: Final = '''"""Twins of the asynchronous classes: made by ``python -m tests.project.twins``.

Change those, not this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
'''
_INIT: Final = '''"""Twins of the asynchronous classes: made by ``python -m tests.project.twins``.

Each is in a module that is called as that of the class is.
"""
'''
_NAMES: Final = {path.rpartition(".")[2]: twin for path, twin in TWINS.items()}
_OURS: Final = {
    "Portal": "from orchestrator.embedded.sync.portal import Portal",
    **{
        name: f"from orchestrator.embedded.sync.streams import {name}"
        for name in ("Stream", "around", "as_is", "entered")
    },
}
_STREAM: Final = re.compile(r"AsyncIterator\[AsyncIterator\[(?P<piece>.+)\]\]$")
_CONTEXT: Final = re.compile(r"AsyncIterator\[(?P<given>.+)\]$")
_PLAIN_CONTEXT: Final = re.compile(r"contextlib\.AbstractContextManager\[.+\]$")
_ASYNC_CONTEXT: Final = re.compile(r"contextlib\.AbstractAsyncContextManager\[(?P<given>.+)\]$")
_SEVERAL: Final = re.compile(r"(?P<kind>tuple|list)\[(?P<item>\w+)(, \.\.\.)?\]$")


class _Method(NamedTuple):
    node: ast.FunctionDef | ast.AsyncFunctionDef
    decorators: tuple[str, ...]

    @property
    def returns(self) -> str:
        return ast.unparse(self.node.returns) if self.node.returns else "None"


class _Twin(NamedTuple):
    """An asynchronous class, and what is made of it."""

    node: ast.ClassDef
    module: str
    name: str
    text: str
    imports: dict[str, str]
    """What its module knows, and the statements that import it."""


def sources() -> dict[str, str]:
    """Return the text of each module by its file's name, formatted."""
    twins = [_twin(path, name) for path, name in TWINS.items()]
    homes = {twin.name: f"from {PACKAGE}.{twin.module} import {twin.name}" for twin in twins}
    found = {"__init__.py": _INIT}
    for module in dict.fromkeys(twin.module for twin in twins):
        found[f"{module}.py"] = _module([twin for twin in twins if twin.module == module], homes)
    return found


def _twin(path: str, name: str) -> _Twin:
    module, _, original = path.rpartition(".")
    file = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = (node for node in tree.body if isinstance(node, ast.ClassDef))
    node = next(node for node in found if node.name == original)
    text = _twin_of(node, name)
    return _Twin(node, module.rpartition(".")[2], name, text, dict(_names_of(tree, module)))


def _module(twins: list[_Twin], homes: dict[str, str]) -> str:
    known = {name: line for twin in twins for name, line in twin.imports.items()}
    known |= _OURS | {name: line for name, line in homes.items() if name not in _made(twins)}
    body = ast.parse("\n".join(twin.text for twin in twins))
    needed = _used(found for node in ast.walk(body) for found in _evaluated(node))
    needed |= _used(found for node in ast.walk(body) for found in _run(node)) & known.keys()
    typed = _used([body]) - needed
    runtime = [known[name] for name in sorted(needed & known.keys())]
    hints = [f"    {known[name]}" for name in sorted(typed & known.keys())]
    classes = (twin.text for twin in twins)
    return _formatted("\n".join((_HEADER, *runtime, "if TYPE_CHECKING:", *hints, *classes)))


def _made(twins: list[_Twin]) -> set[str]:
    return {twin.name for twin in twins}


def _used(nodes: Iterable[ast.AST]) -> set[str]:
    return {name.id for node in nodes for name in ast.walk(node) if isinstance(name, ast.Name)}


def _evaluated(node: ast.AST) -> list[ast.expr]:
    """Return what is evaluated when the module is loaded: defaults and base classes."""
    if isinstance(node, ast.ClassDef):
        return node.bases
    if not isinstance(node, ast.arguments):
        return []
    return [*node.defaults, *(default for default in node.kw_defaults if default is not None)]


def _run(node: ast.AST) -> list[ast.stmt]:
    """Return what a function does."""
    return node.body if isinstance(node, ast.FunctionDef) else []


def _names_of(tree: ast.Module, module: str) -> Iterator[tuple[str, str]]:
    """Return each name that a module knows, and the statement that imports it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            source = f"from {node.module} " if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                renamed = f" as {alias.asname}" if alias.asname else ""
                yield alias.asname or alias.name, f"{source}import {alias.name}{renamed}"
    for statement in tree.body:
        name = ""
        if isinstance(statement, ast.ClassDef):
            name = statement.name
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
        if name:
            yield name, f"from {module} import {name}"


def _twin_of(node: ast.ClassDef, twin: str) -> str:
    lines = [
        f"class {twin}{_bases_of(node)}:",
        f'    """The synchronous twin of `{node.name}`: the same methods, without ``await``."""\n',
    ]
    if any(ast.unparse(base) in _NAMES for base in node.bases):
        lines.append(f"    _async: {node.name}\n")
    else:
        lines += [
            f"    def __init__(self, portal: Portal, twin: {node.name}) -> None:",
            '        """Speak to an asynchronous one on the portal\'s thread."""',
            "        self._portal = portal",
            "        self._async = twin\n",
        ]
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            lines.append(_attribute(statement.target.id, ast.unparse(statement.annotation)))
        elif isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            lines += [_attribute(*found) for found in _instance_attributes(statement)]
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            name = statement.name
            public = not name.startswith("_") or name in SPECIAL
            if public and name not in LEFT_OUT:
                decorators = tuple(map(ast.unparse, statement.decorator_list))
                lines.append(_method(_Method(statement, decorators), node))
    return "\n".join(lines)


def _bases_of(node: ast.ClassDef) -> str:
    """Return base classes as they are written, names that are still to come in quotes."""
    bases = [_twinned(ast.unparse(base).replace("'", "")) for base in node.bases]
    quoted = [re.sub(r"\[(.*)(Sync\w+)\]", r'[\1"\2"]', base) for base in bases]
    return f"({', '.join(quoted)})" if quoted else ""


def _instance_attributes(node: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """Return the public attributes whose type can be told from what is assigned to them."""
    types = {
        each.arg: ast.unparse(each.annotation)
        for each in (*node.args.args, *node.args.kwonlyargs)
        if each.annotation is not None
    }
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            target, value = statement.targets[0], statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            target, value = statement.target, statement.value
        else:
            continue
        if not isinstance(target, ast.Attribute) or target.attr.startswith("_"):
            continue
        if isinstance(value, ast.Name) and value.id in types:
            yield target.attr, types[value.id]
        elif isinstance(value, ast.Constant) and value.value is not None:
            yield target.attr, type(value.value).__name__


def _attribute(name: str, kind: str) -> str:
    if name.startswith("_"):
        return ""
    value = _wrapped(kind, f"self._async.{name}")
    return (
        f"    @property\n    def {name}(self) -> {_twinned(kind)}:\n"
        f'        """See the attribute of the asynchronous one."""\n        return {value}\n'
    )


def _method(method: _Method, owner: ast.ClassDef) -> str:
    node, returns = method.node, method.returns
    arguments = ast.unparse(node.args)
    call = ", ".join((f"self._async.{node.name}", *_passed(node.args)))
    head: list[str] = []
    if {"property", "cached_property"} & set(method.decorators):
        head = ["@property"]
        body = "return " + _wrapped(returns, f"self._portal.run(lambda: self._async.{node.name})")
        result = _twinned(returns)
    elif "contextlib.asynccontextmanager" in method.decorators:
        made = f"self._async.{node.name}({', '.join(_passed(node.args))})"
        if stream := _STREAM.match(returns):
            result, body = f"Stream[{stream['piece']}]", f"return Stream(self._portal, {made})"
        else:
            given = _CONTEXT.match(returns)
            assert given is not None, f"{owner.name}.{node.name} returns {returns}"
            result = f"contextlib.AbstractContextManager[{_twinned(given['given'])}]"
            twin = _NAMES.get(given["given"], "as_is")
            body = f"return entered(self._portal, {made}, {twin})"
    elif given := _ASYNC_CONTEXT.match(returns):
        made = f"self._async.{node.name}({', '.join(_passed(node.args))})"
        result = f"contextlib.AbstractContextManager[{_twinned(given['given'])}]"
        body = f"return entered(self._portal, {made}, {_NAMES.get(given['given'], 'as_is')})"
    elif _PLAIN_CONTEXT.match(returns):
        result, body = returns, f"return around(self._portal, self._portal.run({call}))"
    else:
        way = "call" if isinstance(node, ast.AsyncFunctionDef) else "run"
        if way == "call" and "condition: Callable[[], Any]" in arguments:
            way = "ask"  # on the thread of who asks
        body = _wrapped(returns, f"self._portal.{way}({call})")
        result = _twinned(returns)
        if returns == "Self":
            body = f"{body}\n        return self"
        elif returns != "None":
            body = f"return {body}"
    lines = [*head, f"def {node.name}({_twinned(arguments)}) -> {result}:"]
    if text := _documentation(node):
        lines.append(f'    """{text}"""')
    return "".join(f"    {line}\n" for line in (*lines, f"    {body}"))


def _passed(arguments: ast.arguments) -> list[str]:
    named = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)][1:]
    if arguments.vararg:
        named.append(f"*{arguments.vararg.arg}")
    named += [f"{argument.arg}={argument.arg}" for argument in arguments.kwonlyargs]
    if arguments.kwarg:
        named.append(f"**{arguments.kwarg.arg}")
    return named


def _twinned(annotation: str) -> str:
    """Return an annotation with the names of twins."""
    return re.sub(r"'[^']*'|\w+", lambda match: _NAMES.get(match[0], match[0]), annotation)


def _wrapped(annotation: str, value: str) -> str:
    if annotation in _NAMES:
        return f"{_NAMES[annotation]}(self._portal, {value})"
    if (several := _SEVERAL.match(annotation)) and several["item"] in _NAMES:
        twin = f"{_NAMES[several['item']]}(self._portal, each)"
        made = f"{twin} for each in {value}"
        return f"tuple({made})" if several["kind"] == "tuple" else f"[{made}]"
    assert _twinned(annotation) == annotation, f"no way to make a twin of {annotation}"
    return value


def _documentation(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    text = ast.get_docstring(node, clean=False) or ""
    return re.sub(r"\bawait |\basync (?=for|with)", "", text).replace("\\", "\\\\")


def _formatted(text: str) -> str:
    ruff = Path(sys.executable).with_name("ruff")
    options = ["--stdin-filename", str(TARGET)]
    for command in (["check", "--fix-only", "--quiet", "--select", "I"], ["format", "--quiet"]):
        text = subprocess.run(
            [str(ruff), *command, *options, "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return text


def main() -> None:
    """Write the package anew."""
    made = sources()
    for file in TARGET.glob("*.py"):
        if file.name not in made:
            file.unlink()
    for name, text in made.items():
        (TARGET / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
