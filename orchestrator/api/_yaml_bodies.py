"""YAML bodies, as Kubernetes reads them; loaded with the first one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import yaml

from orchestrator.api._bodies import YamlError

_SMALL: Final = 1024
"""Bytes within which no nesting is too deep."""
_DEPTH: Final = 500
"""Nested collections of a YAML body; a pod has some ten."""
_TOO_DEEP: Final = f"exceeded max depth of {_DEPTH}"
_ALIASED: Final = 100_000
"""Nodes that the aliases of a YAML body may stand for."""
_SafeLoader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]  # the C loader exists where libyaml does
    """YAML as Kubernetes reads it: a date is a string, a duplicate key an error.

    Attributes:
        duplicates: Where duplicate keys are noted instead.
    """

    duplicates: list[str] | None = None

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, (str, int, float, bool)) and key in seen:
                line = key_node.start_mark.line + 1
                problem = f'line {line}: key "{key}" already set in map'
                if self.duplicates is None:
                    raise yaml.YAMLError(problem)
                self.duplicates.append(problem)
            seen.add(key if isinstance(key, (str, int, float, bool)) else id(key))
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    first: [entry for entry in entries if entry[0] != "tag:yaml.org,2002:timestamp"]
    for first, entries in _SafeLoader.yaml_implicit_resolvers.items()
}


def parse(data: bytes, duplicates: list[str] | None = None) -> Any:
    """Do as `orchestrator.api._bodies.parse_yaml` says."""
    with _loading(data, duplicates) as loader:
        return _json_keys(loader.get_single_data())


def parse_all(data: bytes) -> list[Any]:
    """Do as `orchestrator.api._bodies.parse_yaml_documents` says."""
    found = []
    with _loading(data) as loader:
        while loader.check_data():
            found.append(_json_keys(loader.get_data()))
    return found


@contextlib.contextmanager
def _loading(data: bytes, duplicates: list[str] | None = None) -> Iterator[Any]:
    """Give the block what loads ``data``.

    Raises:
        YamlError: It cannot be used.
    """
    try:
        if len(data) > _SMALL or b"*" in data:
            _measure(data)
        loader = _Loader(data)
        loader.duplicates = duplicates
        try:
            yield loader
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        text = str(error)
        if "maximum nesting depth" in text:  # newer releases of libyaml look themselves
            text = _TOO_DEEP
        raise YamlError(text) from error


def _measure(data: bytes) -> None:
    """Refuse a document that is nested too deep or that aliases make too large.

    Composing is recursive in C, where too much depth ends the process; and what aliases repeat
    is cheap only until it is written out as JSON.
    """
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []  # anchor, nodes before it
    nodes = aliased = 0
    for event in yaml.parse(data, Loader=_SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            size = sizes.get(event.anchor or "", 0)
            nodes += size
            aliased += size
            if aliased > _ALIASED:
                raise yaml.YAMLError("document contains excessive aliasing")
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, nodes))
            nodes += 1
            if len(open_nodes) > _DEPTH:
                raise yaml.YAMLError(_TOO_DEEP)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = nodes - before
        elif isinstance(event, yaml.ScalarEvent):
            nodes += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1 + len(event.value) // 64


def _json_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {_json_key(key): _json_keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json_keys(item) for item in value]
    if isinstance(value, (bytes, set)):
        raise yaml.YAMLError("unsupported YAML value")
    return value


def _json_key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return key if isinstance(key, str) else str(key)
