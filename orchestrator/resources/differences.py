"""What is different between two states of an object, field by field. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from orchestrator.resources.objects import Object

_NAMES: Final = ("name", "type", "key", "uid", "containerPort", "port", "ip")
"""Fields that tell the items of a list apart, as far as each of the items has another value."""
_UNTOLD: Final = frozenset({"metadata.resourceVersion", "metadata.managedFields"})
"""They change with every write, and say nothing of what it was about."""


class Absent:
    """In place of the value of a field that is not there."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT: Final = Absent()


class FieldChange(NamedTuple):
    """One field that is not as it was.

    Attributes:
        path: ``spec.replicas``, ``spec.template.spec.containers[web].image``,
            ``metadata.labels[app.kubernetes.io/name]``, ``args[0]``.
        old: The value before, `ABSENT` where there was none.
        new: The value after, `ABSENT` where there is none.
    """

    path: str
    old: Any
    new: Any


def changed_fields(old: Object | None, new: Object | None) -> tuple[FieldChange, ...]:
    """Return the fields in which two states of an object differ, the deepest that tell them apart.

    ``metadata.resourceVersion`` and ``metadata.managedFields`` are left out. Items of lists are
    told apart by name, where they have names; other lists of which one grew or shrank are one
    field. None stands for an object that is not there: all fields of the other one, part by part.
    """
    if old is None or new is None:
        there, gone = (new, True) if old is None else (old, False)
        return tuple(
            FieldChange(part, ABSENT if gone else value, value if gone else ABSENT)
            for part, value in (there or {}).items()
            if part not in ("apiVersion", "kind", "metadata")
        )
    return tuple(_walk("", old, new))


def _walk(path: str, old: Any, new: Any) -> Iterator[FieldChange]:
    if old is new or path in _UNTOLD:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from _walk(_field(path, name), old.get(name, ABSENT), new.get(name, ABSENT))
        return
    if isinstance(old, list) and isinstance(new, list):
        pairs = _pairs(old, new)
        if pairs is not None:
            for name, before, after in pairs:
                yield from _walk(f"{path}[{name}]", before, after)
            return
    if type(old) is not type(new) or old != new:
        yield FieldChange(path, old, new)


def _field(path: str, name: str) -> str:
    if not path:
        return name
    if "." in name or "/" in name:
        return f"{path}[{name}]"
    return f"{path}.{name}"


def _pairs(old: list[Any], new: list[Any]) -> list[tuple[str, Any, Any]] | None:
    """Return the items of two lists that belong together, or None where that is anyone's guess."""
    name = _telling(old, new)
    if name:
        before = {str(item[name]): item for item in old}
        after = {str(item[name]): item for item in new}
        names = [*before, *(value for value in after if value not in before)]
        return [(value, before.get(value, ABSENT), after.get(value, ABSENT)) for value in names]
    if len(old) == len(new):
        return [(str(at), *pair) for at, pair in enumerate(zip(old, new, strict=True))]
    return None


def _telling(old: list[Any], new: list[Any]) -> str:
    if not all(isinstance(item, dict) for item in (*old, *new)) or not (old or new):
        return ""
    for name in _NAMES:
        if all(_tells(name, items) for items in (old, new)):
            return name
    return ""


def _tells(name: str, items: list[Any]) -> bool:
    values = [item.get(name) for item in items]
    return None not in values and len({str(value) for value in values}) == len(items)
