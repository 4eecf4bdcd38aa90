"""The loops that macros become."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from orchestrator.resources.cel.errors import BudgetExceeded, EvaluationError, NoSuchOverload
from orchestrator.resources.cel.values import NONE, OptionalValue, from_key, to_key

Frame: TypeAlias = list[Any]
Run: TypeAlias = Callable[[Frame], Any]
Places: TypeAlias = tuple[int, ...]

COSTS: dict[tuple[str, int], tuple[int, int, int]] = {
    ("all", 1): (0, 3, 1),
    ("exists", 1): (0, 4, 1),
    ("exists_one", 1): (0, 1, 2),
    ("map", 1): (12, 0, 11),
    ("filter", 1): (12, 1, 11),
    ("all", 2): (0, 3, 1),
    ("exists", 2): (0, 4, 1),
    ("exists_one", 2): (0, 1, 2),
    ("transformList", 2): (12, 0, 11),
    ("transformMap", 2): (3, 0, 31),
    ("transformMapEntry", 2): (2, 0, 31),
}
"""By macro and number of names: what one result, one turn and the whole cost beside the parts that
are written down, as the expansion of the macro in cel-go would."""


_END = object()


def always(cost: int) -> Run:
    """Stand for a condition or a result that is not there; only charges."""

    def run(frame: Frame) -> bool:
        frame[0] -= cost
        if frame[0] < 0:
            raise BudgetExceeded
        return True

    return run


def _elements(items: Any) -> Iterable[Any]:
    """Return what one name stands for, turn after turn: elements of a list, keys of a map."""
    if isinstance(items, list | tuple):
        return items
    if isinstance(items, Mapping):
        return map(from_key, items)
    raise NoSuchOverload


def _turns(frame: Frame, over: Run, places: Places) -> Iterator[Any]:
    """Set the names for each turn; yields the element that ``filter`` would keep."""
    items = over(frame)
    if len(places) == 1:
        (place,) = places
        for item in _elements(items):
            frame[place] = item
            yield item
        return
    first, second = places
    pairs: Iterable[tuple[Any, Any]]
    if isinstance(items, list | tuple):
        pairs = enumerate(items)
    elif isinstance(items, Mapping):
        pairs = ((from_key(raw), items[raw]) for raw in items)
    else:
        raise NoSuchOverload
    for frame[first], frame[second] in pairs:
        yield frame[second]


def _all(over: Run, places: Places, condition: Run, _result: Run) -> Run:
    return _quantified(over, places, condition, decisive=False, stop=2)


def _exists(over: Run, places: Places, condition: Run, _result: Run) -> Run:
    return _quantified(over, places, condition, decisive=True, stop=3)


def _quantified(over: Run, places: Places, condition: Run, *, decisive: bool, stop: int) -> Run:
    """Walk until one turn decides; finding out that the rest need not be walked costs ``stop``."""
    neutral = not decisive
    place = places[0] if len(places) == 1 else 0

    def run(frame: Frame) -> Any:
        failed: EvaluationError | None = None
        # With one name, the usual case, the elements themselves are walked over.
        turns = iter(_elements(over(frame))) if place else _turns(frame, over, places)
        for item in turns:
            if place:
                frame[place] = item
            try:
                found = condition(frame)
            except BudgetExceeded:
                raise
            except EvaluationError as error:
                failed = error
                continue
            if found is decisive:
                if next(turns, _END) is not _END:
                    frame[0] -= stop
                return decisive
            if found is not neutral:
                failed = NoSuchOverload()
        if failed is not None:
            raise failed
        return neutral

    return run


def _holds(found: Any) -> bool:
    if found is True or found is False:
        return bool(found)
    raise NoSuchOverload


def _exists_one(over: Run, places: Places, condition: Run, _result: Run) -> Run:
    def run(frame: Frame) -> bool:
        count = 0
        for _ in _turns(frame, over, places):
            count += _holds(condition(frame))
        frame[0] -= count
        return count == 1

    return run


def _map(over: Run, places: Places, condition: Run, result: Run) -> Run:
    def run(frame: Frame) -> list[Any]:
        return [result(frame) for _ in _turns(frame, over, places) if _holds(condition(frame))]

    return run


def _filter(over: Run, places: Places, condition: Run, result: Run) -> Run:
    def run(frame: Frame) -> list[Any]:
        return [
            item
            for item in _turns(frame, over, places)
            if _holds(condition(frame)) and result(frame)
        ]

    return run


def _transform_map(over: Run, places: Places, condition: Run, result: Run) -> Run:
    def run(frame: Frame) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for _ in _turns(frame, over, places):
            if _holds(condition(frame)):
                made[to_key(frame[places[0]])] = result(frame)
        return made

    return run


def _transform_entries(over: Run, places: Places, condition: Run, result: Run) -> Run:
    def run(frame: Frame) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for _ in _turns(frame, over, places):
            if not _holds(condition(frame)):
                continue
            entries = result(frame)
            if not isinstance(entries, Mapping):
                raise NoSuchOverload
            for key, value in entries.items():
                if key in made:
                    raise EvaluationError(f"insert failed: key {from_key(key)} already exists")
                made[key] = value
        return made

    return run


MAKERS: dict[str, Callable[[Run, Places, Run, Run], Run]] = {
    "all": _all,
    "exists": _exists,
    "exists_one": _exists_one,
    "map": _map,
    "filter": _filter,
    "transformList": _map,
    "transformMap": _transform_map,
    "transformMapEntry": _transform_entries,
}


def optional(over: Run, result: Run, place: int, *, flat: bool) -> Run:
    """``optMap`` and ``optFlatMap``."""

    def run(frame: Frame) -> Any:
        found = over(frame)
        if type(found) is not OptionalValue:
            raise NoSuchOverload
        if not found.full:
            return NONE
        frame[place] = found.value
        made = result(frame)
        if not flat:
            return OptionalValue(made)
        if type(made) is not OptionalValue:
            raise NoSuchOverload
        return made

    return run
