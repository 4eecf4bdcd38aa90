"""Taints as ``kubectl taint`` writes them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from orchestrator.resources.objects import Object

EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")


class Taint(NamedTuple):
    """One taint.

    Attributes:
        key: Its key.
        value: Its value, often empty.
        effect: One of `EFFECTS`.
    """

    key: str
    value: str
    effect: str

    def described(self) -> dict[str, Any]:
        """Return it as an item of ``spec.taints``."""
        found = {"key": self.key, "effect": self.effect}
        return {**found, "value": self.value} if self.value else found


def parse_taint(text: str) -> Taint:
    """Read ``key=value:Effect`` or ``key:Effect``.

    Raises:
        ValueError: In kubectl's words.
    """
    head, colon, effect = text.rpartition(":")
    key, _, value = head.partition("=")
    if not colon or not key:
        raise ValueError(
            f"invalid taint spec: {text}, write key=value:effect, as in dedicated=gpu:NoSchedule"
        )
    if effect not in EFFECTS:
        raise ValueError(
            f"invalid taint effect: {effect}, unsupported taint effect; one of {', '.join(EFFECTS)}"
        )
    return Taint(key, value, effect)


def with_taint(taints: Sequence[Object], taint: Taint) -> list[Object]:
    """Add a taint; one of the same key and effect is replaced."""
    rest = [one for one in taints if (one["key"], one["effect"]) != (taint.key, taint.effect)]
    return [*rest, taint.described()]


def without_taint(taints: Sequence[Object], text: str) -> list[Object]:
    """Leave out the taints that ``key``, ``key:Effect`` or ``key=value:Effect`` names."""
    head, _, effect = text.partition(":")
    key = head.partition("=")[0]
    return [one for one in taints if one["key"] != key or (effect and one["effect"] != effect)]
