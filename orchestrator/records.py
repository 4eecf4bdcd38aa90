"""Frozen data classes that are quick to define.

``dataclasses`` compiles six functions for a frozen class, 0.4 ms together: for the hundred-odd that
a cluster is made of that was a fifth of the time to import it. Here ``__init__``, equality and
hashing are compiled when they are first asked for, to what the standard library makes; all else is
shared by all classes. What comes of it is a data class for
``fields``, ``replace``, ``asdict``, ``match`` and type checkers, which are told that this is the
standard library's decorator. Modules that no start loads have no use for it.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dataclasses import dataclass

__all__ = ["dataclass"]


class _Factory:
    """Stands for a value that is made anew for each object; looks as in ``dataclasses``."""

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY: Final = _Factory()


def _define(
    cls: type[Any] | None = None,
    /,
    *,
    frozen: bool = False,
    slots: bool = False,
    eq: bool = True,
    kw_only: bool = False,
    **more: Any,
) -> Any:
    """Do what ``dataclasses.dataclass`` does, sooner where the class is frozen and has slots."""
    options = {"frozen": frozen, "slots": slots, "eq": eq, "kw_only": kw_only, **more}
    if cls is not None or not (frozen and slots) or more:
        return dataclasses.dataclass(cls, **options)

    def define(cls: type[Any]) -> type[Any]:
        inherits = any(dataclasses.is_dataclass(base) for base in cls.__mro__[1:])
        if inherits or not _METHODS.isdisjoint(cls.__dict__):
            standard: type[Any] = dataclasses.dataclass(**options)(cls)
            return standard
        return _made(cls, eq=eq, kw_only=kw_only)

    return define


if not TYPE_CHECKING:
    dataclass = _define


def _made(cls: type[Any], *, eq: bool, kw_only: bool) -> type[Any]:
    made: type[Any] = dataclasses.dataclass(
        init=False, repr=False, eq=False, slots=True, kw_only=kw_only
    )(cls)
    fields = dataclasses.fields(made)
    if not all(field.init and field.hash is None for field in fields):
        raise TypeError(f"{made.__qualname__}: such fields need the standard library's decorator")
    parameters = made.__dataclass_params__
    parameters.init = parameters.repr = parameters.frozen = True
    parameters.eq = eq
    methods: dict[str, Any] = {"__init__": _late(made, "__init__", _initialiser), **_SHARED}
    if eq:
        methods["__eq__"] = _late(made, "__eq__", _equality)
        methods["__hash__"] = _late(made, "__hash__", _hashing)
    for name, method in methods.items():
        setattr(made, name, method)
    return made


def _initialiser(cls: type[Any]) -> Any:
    fields = dataclasses.fields(cls)
    scope: dict[str, Any] = {"_set_": object.__setattr__, "_factory_": _FACTORY}
    positional: list[str] = []
    named: list[str] = []
    lines = []
    for field in fields:
        name, value = field.name, field.name
        parameter = name
        if field.default is not dataclasses.MISSING:
            scope[f"_default_{name}_"] = field.default
            parameter = f"{name}=_default_{name}_"
        elif field.default_factory is not dataclasses.MISSING:
            scope[f"_default_{name}_"] = field.default_factory
            parameter = f"{name}=_factory_"
            value = f"_default_{name}_() if {name} is _factory_ else {name}"
        (named if field.kw_only else positional).append(parameter)
        lines.append(f"_set_(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    parameters = ", ".join(["self", *positional, *(["*", *named] if named else [])])
    function = _compiled(cls, f"def __init__({parameters}):", lines or ["pass"], scope)
    function.__annotations__ = {**{field.name: field.type for field in fields}, "return": None}
    return function


def _compiled(cls: type[Any], head: str, lines: list[str], scope: dict[str, Any]) -> Any:
    scope["__name__"] = cls.__module__
    exec("\n ".join([head, *lines]), scope)  # noqa: S102 - of fields' names, as the standard library
    function = scope[head[4 : head.index("(")]]
    function.__qualname__ = f"{cls.__qualname__}.{function.__name__}"
    return function


def _late(cls: type[Any], name: str, compiled: Callable[[type[Any]], Any]) -> Any:
    """Return a method that puts the real one in its place when it is first called."""

    def method(self: Any, *arguments: Any, **named: Any) -> Any:
        return settle()(self, *arguments, **named)

    def settle() -> Any:
        real = compiled(cls)
        setattr(cls, name, real)
        return real

    method.settle = settle  # type: ignore[attr-defined] # functions take what one gives them
    return method


class _Signature:
    """What ``inspect`` finds of a class: the parameters of its real ``__init__``."""

    def __get__(self, instance: object, cls: type[Any]) -> inspect.Signature:
        initialiser = cls.__dict__.get("__init__", cls.__init__)
        real = getattr(initialiser, "settle", lambda: initialiser)()
        found = inspect.signature(real)
        return found.replace(parameters=list(found.parameters.values())[1:])


def _compared(cls: type[Any], of: str) -> str:
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    return "(" + "".join(f"{of}.{name}, " for name in names) + ")"


def _equality(cls: type[Any]) -> Any:
    return _compiled(
        cls,
        "def __eq__(self, other):",
        [
            "if other.__class__ is self.__class__:",
            f" return {_compared(cls, 'self')} == {_compared(cls, 'other')}",
            "return NotImplemented",
        ],
        {},
    )


def _hashing(cls: type[Any]) -> Any:
    return _compiled(cls, "def __hash__(self):", [f"return hash({_compared(cls, 'self')})"], {})


def _represent(self: Any) -> str:
    shown = (
        f"{field.name}={getattr(self, field.name)!r}"
        for field in dataclasses.fields(self)
        if field.repr
    )
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse_assignment(self: Any, name: str, value: Any) -> None:
    del self, value
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deletion(self: Any, name: str) -> None:
    del self
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_SHARED: Final = {
    "__signature__": _Signature(),
    "__repr__": _represent,
    "__setattr__": _refuse_assignment,
    "__delattr__": _refuse_deletion,
    "__getstate__": _state,
    "__setstate__": _restore,
}
_METHODS: Final = frozenset({"__init__", "__eq__", "__hash__", *_SHARED})
"""A class that has one of its own is left to the standard library."""
