"""A supervisor without a line of code: its children are a tuple of records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Never

from actors._actors import Actor
from actors._supervision import DEFAULT_SUPERVISION, Supervision


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One child to be."""

    name: str
    factory: Callable[[], Actor[Any]]
    supervision: Supervision = DEFAULT_SUPERVISION


class Supervisor(Actor[Never]):
    """Starts its children in order, keeps them as their specs say, stops them in reverse.

    It handles no messages. When it is restarted itself, all children are made anew.
    """

    __slots__ = ("_specs",)

    def __init__(self, specs: Sequence[ChildSpec]) -> None:
        """Supervise those; nothing starts before the supervisor does.

        Raises:
            ValueError: two specs have the same name.
        """
        self._specs = tuple(specs)
        names = [spec.name for spec in self._specs]
        if len(set(names)) < len(names):
            raise ValueError(f"children need names of their own, not {names}")

    def started(self) -> None:
        """Start the children."""
        for spec in self._specs:
            self.context.spawn(spec.factory, spec.name, supervision=spec.supervision)
