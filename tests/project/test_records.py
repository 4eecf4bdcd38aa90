"""Our quick data classes are the standard library's in all that can be seen."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import Any, ClassVar

import pytest

from orchestrator import records


@records.dataclass(frozen=True, slots=True)
class Plain:
    """With defaults of both sorts, and a field that does not count."""

    a: int
    b: str = "b"
    c: list[int] = dataclasses.field(default_factory=list)
    d: int = dataclasses.field(default=0, compare=False, repr=False)
    limit: ClassVar[int] = 7

    def __post_init__(self) -> None:
        if self.a < 0:
            raise ValueError("negative")


@records.dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """By name only."""

    x: int = 1
    y: int


@records.dataclass(frozen=True, slots=True)
class Empty:
    """Nothing in it."""


@records.dataclass(frozen=True, slots=True, eq=False)
class Apart:
    """Only itself is equal to it."""

    a: int


@records.dataclass(frozen=True, slots=True, kw_only=True)
class Derived(Named):
    """One that has another one's fields; left to the standard library."""

    z: int


@dataclasses.dataclass(frozen=True, slots=True)
class _Plain:
    a: int
    b: str = "b"
    c: list[int] = dataclasses.field(default_factory=list)
    d: int = dataclasses.field(default=0, compare=False, repr=False)
    limit: ClassVar[int] = 7

    def __post_init__(self) -> None:
        if self.a < 0:
            raise ValueError("negative")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    x: int = 1
    y: int


@dataclasses.dataclass(frozen=True, slots=True)
class _Empty:
    pass


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Apart:
    a: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Derived(_Named):
    z: int


PAIRS = [
    (Plain, _Plain, {"a": 1}),
    (Plain, _Plain, {"a": 1, "b": "x", "c": [2], "d": 3}),
    (Named, _Named, {"y": 2}),
    (Empty, _Empty, {}),
    (Apart, _Apart, {"a": 1}),
    (Derived, _Derived, {"y": 2, "z": 3}),
]
pairs = pytest.mark.parametrize(("ours", "standard", "values"), PAIRS)


@pairs
def test_what_is_seen_of_them_is_the_same(
    ours: type[Any], standard: type[Any], values: dict[str, Any]
) -> None:
    """Fields, parameters, text, what matches, what is in them."""
    made, other = ours(**values), standard(**values)
    assert repr(made) == repr(other).removeprefix("_")
    assert dataclasses.is_dataclass(ours)
    assert dataclasses.asdict(made) == dataclasses.asdict(other)
    assert [field.name for field in dataclasses.fields(ours)] == [
        field.name for field in dataclasses.fields(standard)
    ]
    assert str(inspect.signature(ours)) == str(inspect.signature(standard))
    for name in ("__match_args__", "__slots__"):
        assert getattr(ours, name) == getattr(standard, name)
    assert not hasattr(made, "__dict__")


def test_parameters_are_known_before_anything_was_made() -> None:
    """For editors and documents; ``__init__`` itself comes with the first object."""

    @records.dataclass(frozen=True, slots=True)
    class New:
        a: int
        b: str = "b"

    class Heir(New):
        __slots__ = ()

    assert str(inspect.signature(Heir)) == "(a: 'int', b: 'str' = 'b') -> None"
    assert str(inspect.signature(New)) == str(inspect.signature(Heir))
    assert (New(1), Heir(1, b="c").b) == (New(1, "b"), "c")


@pairs
def test_they_are_compared_and_hashed_alike(
    ours: type[Any], standard: type[Any], values: dict[str, Any]
) -> None:
    """The second time as the first, when the methods have been compiled."""
    for _ in range(2):
        made, twin, other = ours(**values), ours(**values), standard(**values)
        assert (made == twin) is (other == standard(**values))
        assert made != other
        assert made == made
        if ours is not Plain and ours is not Apart:  # a list has no hash, an identity its own
            assert hash(made) == hash(twin) == hash(other)
    if ours is Plain:
        assert ours(1, d=1) == ours(1, d=2)
        with pytest.raises(TypeError, match="unhashable"):
            hash(made)


@pairs
def test_they_are_frozen_and_can_be_copied(
    ours: type[Any], standard: type[Any], values: dict[str, Any]
) -> None:
    """With the standard library's error, and by all of its ways."""
    made = ours(**values)
    told = []
    for one in (made, standard(**values)):
        for field in dataclasses.fields(one)[:1]:
            with pytest.raises(dataclasses.FrozenInstanceError) as error:
                setattr(one, field.name, 2)
            told.append(str(error.value))
            with pytest.raises(dataclasses.FrozenInstanceError) as error:
                delattr(one, field.name)
            told.append(str(error.value))
    assert told[: len(told) // 2] == told[len(told) // 2 :]
    for twin in (
        copy.copy(made),
        copy.deepcopy(made),
        pickle.loads(pickle.dumps(made)),
        dataclasses.replace(made),
    ):
        assert type(twin) is ours
        assert dataclasses.asdict(twin) == dataclasses.asdict(made)


def test_replacing_keeps_the_rest_and_checks_again() -> None:
    """As `dataclasses.replace` promises."""
    assert dataclasses.replace(Plain(1, "x", [3]), a=2) == Plain(2, "x", [3])
    with pytest.raises(ValueError, match="negative"):
        dataclasses.replace(Plain(1), a=-1)
    first, second = Plain(1), Plain(1)
    assert first.c is not second.c


def test_arguments_are_asked_for_as_usual() -> None:
    """Those that are missing, and those by name only."""
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'y'"):
        Named()  # type: ignore[call-arg]  # that is the point
    with pytest.raises(TypeError, match="positional"):
        Named(1, 2)  # type: ignore[call-arg]  # that is the point


def test_others_are_the_standard_librarys() -> None:
    """Those that can change have nothing to gain."""

    @records.dataclass(slots=True)
    class Open:
        a: int = 1

    made = Open()
    made.a = 2
    assert made == Open(2)
    assert Open.__hash__ is None
