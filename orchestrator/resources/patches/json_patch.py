"""JSON patch, RFC 6902, with the extensions and limits of upstream's server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.resources.errors import bad_request
from orchestrator.resources.objects import Object
from orchestrator.resources.patches._json import same, size_of
from orchestrator.resources.patches.errors import PatchRejectedError, shallow, too_many_operations

MAX_OPERATIONS = 10_000
"""Upstream's limit of operations in one patch."""

MAX_COPIED_BYTES = 3 * 1024 * 1024
"""Upstream's limit of what ``copy`` may add: copies of copies grow without bound otherwise."""

_WHOLE = "operation does not apply to the whole document"
"""Upstream's library finds no container for the empty path, so it refuses what the RFC allows."""

_NEEDS_VALUE = frozenset({"add", "replace", "test"})
_NEEDS_FROM = frozenset({"move", "copy"})
_OPERATIONS = _NEEDS_VALUE | _NEEDS_FROM | {"remove"}


@shallow
def apply_json_patch(obj: Object, operations: Any) -> Object:
    """Return ``obj`` after all operations, in order; ``obj`` itself stays as it is.

    Args:
        obj: The current object.
        operations: The decoded body: a list of operations.

    Raises:
        StatusError: 400 when the body is no JSON patch, 413 over `MAX_OPERATIONS`, 422
            (`PatchRejectedError`) when an operation does not fit the object or a test fails.
    """
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: a JSON patch must be a list of operations")
    if len(operations) > MAX_OPERATIONS:
        raise too_many_operations(MAX_OPERATIONS, len(operations))
    document = _Document(obj)
    for operation in operations:
        _check(operation)
        document.apply(operation)
    result: Object = document.root
    return result


def _check(operation: Any) -> None:
    if not isinstance(operation, dict):
        raise bad_request(f"error decoding patch: {operation!r} is not an operation")
    name = operation.get("op")
    if not isinstance(name, str) or name not in _OPERATIONS:
        raise PatchRejectedError(f"Unexpected kind: {name!r}")
    if not isinstance(operation.get("path"), str):
        raise PatchRejectedError(f"{name} operation without a path")
    if name in _NEEDS_VALUE and "value" not in operation and name != "test":
        raise PatchRejectedError(f"{name} operation without a value: {operation['path']}")
    if name in _NEEDS_FROM and not isinstance(operation.get("from"), str):
        raise PatchRejectedError(f"{name} operation without from: {operation['path']}")


def parse_pointer(pointer: str) -> list[str]:
    """Split a JSON pointer (RFC 6901) into its unescaped parts; ``""`` is the whole document.

    Raises:
        PatchRejectedError: When it neither is empty nor starts with a slash.
    """
    if pointer == "":
        return []
    if not pointer.startswith("/"):
        raise PatchRejectedError(f"path must start with a slash: {pointer}")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


class _Document:
    """The object under change: containers are copied when first written to, then reused.

    ``_owned`` holds the copies made here by id (and keeps them alive), so that thousands of
    operations on one list copy it once. A ``copy`` makes two places share a value, which ends
    ownership of everything.
    """

    def __init__(self, root: Any) -> None:
        self.root = root
        self._owned: dict[int, Any] = {}
        self._copied = 0

    def apply(self, operation: dict[str, Any]) -> None:
        actions: dict[str, Callable[[dict[str, Any]], None]] = {
            "add": self._add_operation,
            "remove": self._remove_operation,
            "replace": self._replace,
            "move": self._move,
            "copy": self._copy,
            "test": self._test,
        }
        actions[operation["op"]](operation)

    def _add_operation(self, operation: dict[str, Any]) -> None:
        self._add(operation["path"], operation["value"])

    def _remove_operation(self, operation: dict[str, Any]) -> None:
        self._remove(operation["path"])

    def _add(self, path: str, value: Any) -> None:
        parts = parse_pointer(path)
        if not parts:
            raise PatchRejectedError(_WHOLE)
        container = self._writable(parts[:-1], path)
        last = parts[-1]
        if isinstance(container, dict):
            container[last] = value
        elif last == "-":
            container.append(value)
        else:
            container.insert(_index(last, len(container) + 1, path), value)

    def _remove(self, path: str) -> Any:
        parts = parse_pointer(path)
        if not parts:
            raise PatchRejectedError(_WHOLE)
        container = self._writable(parts[:-1], path)
        if isinstance(container, dict):
            if parts[-1] not in container:
                raise PatchRejectedError(
                    f"remove operation does not apply: doc is missing path: {path}"
                )
            return container.pop(parts[-1])
        return container.pop(_index(parts[-1], len(container), path))

    def _replace(self, operation: dict[str, Any]) -> None:
        path = operation["path"]
        parts = parse_pointer(path)
        if not parts:
            raise PatchRejectedError(_WHOLE)
        container = self._writable(parts[:-1], path)
        if isinstance(container, dict):
            if parts[-1] not in container:
                raise PatchRejectedError(
                    f"replace operation does not apply: doc is missing key: {path}"
                )
            container[parts[-1]] = operation["value"]
        else:
            container[_index(parts[-1], len(container), path)] = operation["value"]

    def _move(self, operation: dict[str, Any]) -> None:
        source, target = operation["from"], operation["path"]
        if target == source:
            self._read(parse_pointer(source), source)
            return
        if target.startswith(f"{source}/"):
            raise PatchRejectedError(f"move operation does not apply: {target} lies in {source}")
        self._add(target, self._remove(source))

    def _copy(self, operation: dict[str, Any]) -> None:
        value = self._read(parse_pointer(operation["from"]), operation["from"])
        self._copied += size_of(value)
        if self._copied > MAX_COPIED_BYTES:
            raise PatchRejectedError(
                "Unable to complete the copy, the accumulated size increase of copy is "
                f"{self._copied}, exceeding the limit {MAX_COPIED_BYTES}"
            )
        self._owned.clear()
        self._add(operation["path"], value)

    def _test(self, operation: dict[str, Any]) -> None:
        path, expected = operation["path"], operation.get("value")
        try:
            actual = self._read(parse_pointer(path), path)
        except PatchRejectedError:
            if expected is None:
                return  # upstream's library: a missing value equals null
            raise
        if not same(actual, expected):
            raise PatchRejectedError(f"testing value {path} failed")

    def _read(self, parts: list[str], path: str) -> Any:
        here = self.root
        for part in parts:
            if isinstance(here, dict):
                if part not in here:
                    raise PatchRejectedError(f"doc is missing path: {path}")
                here = here[part]
            elif isinstance(here, list):
                here = here[_index(part, len(here), path)]
            else:
                raise PatchRejectedError(f"doc is missing path: {path}")
        return here

    def _writable(self, parts: list[str], path: str) -> Any:
        """Return the container at ``parts``, every container on the way being our own copy."""
        here = self.root = self._own(self.root, path)
        for part in parts:
            where: Any
            if isinstance(here, dict):
                if part not in here:
                    raise PatchRejectedError(f"doc is missing path: {path}")
                where = part
            else:
                where = _index(part, len(here), path)
            here[where] = self._own(here[where], path)
            here = here[where]
        return here

    def _own(self, value: Any, path: str) -> Any:
        if id(value) in self._owned:
            return value
        if isinstance(value, dict):
            value = dict(value)
        elif isinstance(value, list):
            value = list(value)
        else:
            raise PatchRejectedError(f"doc is missing path: {path}")
        self._owned[id(value)] = value
        return value


def _index(part: str, length: int, path: str) -> int:
    """Read an array index; negative ones count from the end, as upstream's library has it."""
    digits = part.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or (len(digits) > 1 and digits[0] == "0"):
        raise PatchRejectedError(f"Unable to access invalid index: {part} in {path}")
    if len(digits) > 9:
        raise PatchRejectedError(f"Unable to access invalid index: {part} in {path}")
    index = int(part)
    if index < 0:
        index += length
    if not 0 <= index < length:
        raise PatchRejectedError(f"Unable to access invalid index: {part} in {path}")
    return index
