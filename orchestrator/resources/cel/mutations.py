"""Objects that expressions of mutating policies make: ``Object.spec{...}`` and ``JSONPatch{...}``.

Source: k8s.io/apiserver/pkg/cel/mutation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.resources.cel.errors import EvaluationError
from orchestrator.resources.cel.types import DYN, STRING, Type, objects
from orchestrator.resources.cel.values import Message, to_json

_PATCH = objects("JSONPatch", lambda: {"op": STRING, "path": STRING, "from": STRING, "value": DYN})


class Messages(Mapping[str, Type]):
    """Types by name: ``JSONPatch``, and ``Object`` with every path below it."""

    def __getitem__(self, name: str) -> Type:
        if name == "JSONPatch":
            return _PATCH
        if name == "Object" or name.startswith("Object."):
            return objects(name, None)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(("Object", "JSONPatch"))

    def __len__(self) -> int:
        return 2


def configuration(value: Any) -> dict[str, Any]:
    """Return the object that an ``ApplyConfiguration`` expression made, as JSON.

    Raises:
        EvaluationError: It is no ``Object{}``, or a part of it is named for another place.
    """
    if not isinstance(value, Message) or not value.type_name.startswith("Object"):
        raise EvaluationError("must evaluate to Object")
    _check_names(value, "Object")
    made: dict[str, Any] = to_json(value)
    return made


def _check_names(value: Any, path: str) -> None:
    if isinstance(value, Message):
        if value.type_name != path:
            raise EvaluationError(
                f'unexpected type name "{value.type_name}", expected "{path}", which matches field '
                "name path from root Object type"
            )
        for name, field in value.items():
            _check_names(field, f"{path}.{name}")
    elif isinstance(value, Mapping):
        for field in value.values():
            _check_names(field, path)
    elif isinstance(value, list):
        for item in value:
            _check_names(item, path)


def patches(value: Any) -> list[dict[str, Any]]:
    """Return the operations that a ``JSONPatch`` expression made.

    Raises:
        EvaluationError: It is no list of ``JSONPatch{}``.
    """
    if not isinstance(value, list) or not all(
        isinstance(one, Message) and one.type_name == "JSONPatch" for one in value
    ):
        raise EvaluationError("must evaluate to a list of JSONPatch")
    return [to_json(one) for one in value]
