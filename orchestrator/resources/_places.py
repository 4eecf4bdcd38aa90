"""Where a value stands in a body, and the Go decoder's words about a value of the wrong type."""

from __future__ import annotations

from typing import Any


class DecodeError(ValueError):
    """A value of the wrong type or form; the message is the Go decoder's."""


class Place:
    """Where a value stands, for messages: made only on the way down, never formatted unless needed.

    Attributes:
        parent: Place of what holds it, None at the root.
        step: Field name, map key or index.
        owner: Name of the innermost structure.
    """

    __slots__ = ("owner", "parent", "step")

    def __init__(self, parent: Place | None, step: str | int, owner: str) -> None:
        self.parent = parent
        self.step = step
        self.owner = owner

    def text(self, last: str = "") -> str:
        """Return the path as field errors write it: ``spec.containers[0].name``."""
        steps: list[str | int] = [last] if last else []
        place: Place | None = self
        while place is not None:
            steps.append(place.step)
            place = place.parent
        written = ""
        for step in reversed(steps):
            if isinstance(step, int):
                written += f"[{step}]"
            elif step:
                written += f".{step}" if written else step
        return written

    def field(self) -> str:
        """Return the path as the Go decoder writes it: field names only."""
        steps: list[str] = []
        place: Place | None = self
        while place is not None:
            if isinstance(place.step, str) and place.step and not place.step.startswith("\0"):
                steps.append(place.step)
            place = place.parent
        return ".".join(reversed(steps))


def json_type(value: Any) -> str:
    """Return what the Go decoder calls a JSON value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (int, float)):
        return "number"
    return "array" if isinstance(value, list) else "object"


def wrong_type(value: Any, place: Place, wanted: str, *, literal: bool = False) -> DecodeError:
    """Return the refusal of a value where a Go type ``wanted`` stands.

    ``literal`` shows a number itself, as the decoder does for integers that do not fit.
    """
    found = json_type(value)
    if literal and found == "number":
        found = f"number {value}"
    field = place.field()
    if not field:
        return DecodeError(f"json: cannot unmarshal {found} into Go value of type {wanted}")
    return DecodeError(
        f"json: cannot unmarshal {found} into Go struct field {place.owner}.{field} "
        f"of type {wanted}"
    )
