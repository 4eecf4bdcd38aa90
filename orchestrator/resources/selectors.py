"""Label and field selectors: their text and object forms, and whether they match.

Selectors are parsed once and kept; ``matches`` runs for every object of a list.
Source of grammar and words: k8s.io/apimachinery/pkg/labels and pkg/fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from orchestrator.records import dataclass
from orchestrator.resources.names import label_value, qualified_name

Operator: TypeAlias = Literal["=", "==", "!=", "in", "notin", "exists", "!", "gt", "lt"]

_TOKEN: Final = re.compile(r"\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+|$)")
_BINARY: Final = "in, notin, =, ==, !=, gt, lt"
_OPERATORS: Final[dict[str, Operator]] = {
    "=": "=",
    "==": "==",
    "!=": "!=",
    "in": "in",
    "notin": "notin",
    ">": "gt",
    "<": "lt",
}
_SPECIAL: Final = frozenset({"=", "==", "!=", "!", "(", ")", ",", "<", ">", ""})
_OBJECT_OPERATORS: Final[dict[str, Operator]] = {
    "In": "in",
    "NotIn": "notin",
    "Exists": "exists",
    "DoesNotExist": "!",
}


class SelectorError(ValueError):
    """A selector that cannot be parsed; the message is upstream's."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label.

    Attributes:
        key: The label's key.
        operator: As upstream spells it.
        values: Sorted; empty for ``exists`` and ``!``.
    """

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels satisfy this requirement."""
        value = labels.get(self.key)
        match self.operator:
            case "=" | "==" | "in":
                return value is not None and value in self.values
            case "!=" | "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
            case "gt" | "lt":
                return value is not None and self._compares(value)

    def _compares(self, value: str) -> bool:
        try:
            number, bound = int(value), int(self.values[0])
        except ValueError:
            return False
        return number > bound if self.operator == "gt" else number < bound

    def __str__(self) -> str:
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(self.values)})"
            case "gt" | "lt":
                return f"{self.key}{'>' if self.operator == 'gt' else '<'}{self.values[0]}"
            case _:
                return f"{self.key}{self.operator}{self.values[0]}"


class LabelSelector:
    """A conjunction of requirements; without any it matches everything.

    Attributes:
        requirements: Sorted by key.
        equalities: Labels that a match has exactly, for lookups in an index.
    """

    __slots__ = ("_equal", "_hash", "_nothing", "_rest", "equalities", "requirements")

    def __init__(self, requirements: Iterable[Requirement] = (), *, nothing: bool = False) -> None:
        """Combine requirements; ``nothing`` makes a selector that never matches."""
        self.requirements = tuple(sorted(requirements, key=lambda r: r.key))
        self.equalities: dict[str, str] = {}
        rest: list[Requirement] = []
        for requirement in self.requirements:
            key, values = requirement.key, requirement.values
            exact = requirement.operator in {"=", "==", "in"} and len(values) == 1
            if exact and self.equalities.setdefault(key, values[0]) == values[0]:
                continue
            rest.append(requirement)
        self._equal = tuple(self.equalities.items())
        self._rest = tuple(rest)
        self._nothing = nothing
        self._hash = hash((self.requirements, nothing))

    @property
    def empty(self) -> bool:
        """Whether it matches everything."""
        return not self.requirements and not self._nothing

    @property
    def nothing(self) -> bool:
        """Whether it matches nothing."""
        return self._nothing

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        """Tell whether a set of labels satisfies every requirement."""
        if self._nothing:
            return False
        found: Mapping[str, str] = labels or {}
        for key, value in self._equal:
            if found.get(key) != value:
                return False
        return not self._rest or all(requirement.matches(found) for requirement in self._rest)

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)

    def __repr__(self) -> str:
        return f"LabelSelector({'nothing' if self._nothing else str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, LabelSelector)
            and self.requirements == other.requirements
            and self._nothing == other._nothing
        )

    def __hash__(self) -> int:
        return self._hash


EVERYTHING: Final = LabelSelector()
NOTHING: Final = LabelSelector(nothing=True)


@lru_cache(maxsize=1024)
def parse_label_selector(text: str) -> LabelSelector:
    """Parse the text form: ``app=web,tier in (a,b),!old``; empty text selects everything.

    Raises:
        SelectorError: With the text upstream answers.
    """
    return LabelSelector(_LabelParser(text).parse())


def label_selector(form: Mapping[str, Any] | None) -> LabelSelector:
    """Build a selector from the object form with ``matchLabels`` and ``matchExpressions``.

    None selects nothing, an empty form everything, as upstream defines it.

    Raises:
        SelectorError: An unknown operator.
    """
    if form is None:
        return NOTHING
    found = [
        Requirement(key, "in", (value,)) for key, value in (form.get("matchLabels") or {}).items()
    ]
    for expression in form.get("matchExpressions") or ():
        operator = _OBJECT_OPERATORS.get(expression.get("operator", ""))
        if operator is None:
            raise SelectorError(
                f'"{expression.get("operator", "")}" is not a valid label selector operator'
            )
        values = tuple(sorted(expression.get("values") or ()))
        found.append(Requirement(expression.get("key", ""), operator, values))
    return LabelSelector(found)


def set_selector(labels: Mapping[str, str] | None) -> LabelSelector:
    """Build a selector from a plain map, as Services and ReplicationControllers have it.

    An absent or empty map selects nothing here: a Service without selector has no endpoints.
    """
    if not labels:
        return NOTHING
    return LabelSelector(Requirement(key, "=", (value,)) for key, value in labels.items())


class _LabelParser:
    def __init__(self, text: str) -> None:
        self._tokens = [match[1] for match in _TOKEN.finditer(text)]
        self._at = 0

    def parse(self) -> list[Requirement]:
        found: list[Requirement] = []
        if self._peek() == "":
            return found
        while True:
            lexeme = self._peek()
            if lexeme in _SPECIAL and lexeme != "!":
                raise SelectorError(
                    f"found '{lexeme}', expected: !, identifier, or 'end of string'"
                )
            try:
                found.append(self._requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            lexeme = self._take()
            if lexeme == "":
                return found
            if lexeme != ",":
                raise SelectorError(f"found '{lexeme}', expected: ',' or 'end of string'")
            lexeme = self._peek()
            if lexeme in _SPECIAL and lexeme != "!":
                raise SelectorError(f"found '{lexeme}', expected: identifier after ','")

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        lexeme = self._peek()
        self._at += 1
        return lexeme

    def _requirement(self) -> Requirement:
        absent = self._peek() == "!"
        if absent:
            self._take()
        key = self._take()
        if key in _SPECIAL:
            raise SelectorError(f"found '{key}', expected: identifier")
        if problems := qualified_name(key):
            raise SelectorError(f"key: Invalid value: {json.dumps(key)}: {'; '.join(problems)}")
        if absent:
            return Requirement(key, "!")
        if self._peek() in {"", ","}:
            return Requirement(key, "exists")
        written = self._take()
        operator = _OPERATORS.get(written)
        if operator is None:
            raise SelectorError(f"found '{written}', expected: {_BINARY}")
        values = self._values() if operator in {"in", "notin"} else (self._exact(),)
        if operator in {"gt", "lt"} and not re.fullmatch(r"[+-]?\d+", values[0], re.ASCII):
            raise SelectorError(
                f'values[0]: Invalid value: {json.dumps(values[0])}: for "Gt", "Lt" operators, '
                "the value must be an integer"
            )
        for index, value in enumerate(values):
            if problems := label_value(value):
                raise SelectorError(
                    f"values[{index}][{key}]: Invalid value: {json.dumps(value)}: "
                    f"{'; '.join(problems)}"
                )
        return Requirement(key, operator, values)

    def _exact(self) -> str:
        lexeme = self._peek()
        if lexeme in {"", ","}:
            return ""
        self._take()
        if lexeme in _SPECIAL:
            raise SelectorError(f"found '{lexeme}', expected: identifier")
        return lexeme

    def _values(self) -> tuple[str, ...]:
        lexeme = self._take()
        if lexeme != "(":
            raise SelectorError(f"found '{lexeme}' expected: '('")
        found: set[str] = set()
        expect_value = True
        while True:
            lexeme = self._take()
            if lexeme == ")":
                if expect_value:
                    found.add("")
                return tuple(sorted(found))
            if lexeme == ",":
                if expect_value:
                    found.add("")
                expect_value = True
            elif lexeme in _SPECIAL or not expect_value:
                raise SelectorError(f"found '{lexeme}', expected: ',', ')' or identifier")
            else:
                found.add(lexeme)
                expect_value = False


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """One condition on one selectable field."""

    field: str
    operator: Literal["=", "!="]
    value: str

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{_escape(self.value)}"


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """A conjunction of conditions on the fields a kind offers for selection."""

    requirements: tuple[FieldRequirement, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether it matches everything."""
        return not self.requirements

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Tell whether a kind's selectable fields satisfy it; an absent field counts as empty."""
        return all(
            (fields.get(r.field, "") == r.value) == (r.operator == "=") for r in self.requirements
        )

    def exact(self, field: str) -> str | None:
        """Return the value a field must have, or None: for lookups by name or node."""
        for requirement in self.requirements:
            if requirement.field == field and requirement.operator == "=":
                return requirement.value
        return None

    def unsupported(self, known: Callable[[str], bool]) -> str | None:
        """Return the first field that a kind does not offer, or None."""
        return next((r.field for r in self.requirements if not known(r.field)), None)

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


@lru_cache(maxsize=1024)
def parse_field_selector(text: str) -> FieldSelector:
    """Parse ``metadata.name=web,status.phase!=Running``; backslash escapes ``,``, ``=``, itself.

    Raises:
        SelectorError: With the text upstream answers.
    """
    found: list[FieldRequirement] = []
    for term in re.findall(r"(?:\\.|[^,\\])+", text, re.DOTALL):
        match = re.fullmatch(r"((?:\\.|[^=!\\])*)(!=|==|=)(.*)", term, re.DOTALL)
        if match is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")
        operator: Literal["=", "!="] = "!=" if match[2] == "!=" else "="
        found.append(FieldRequirement(match[1], operator, _unescape(match[3])))
    return FieldSelector(tuple(found))


def _escape(value: str) -> str:
    return re.sub(r"([\\,=])", r"\\\1", value)


def _unescape(value: str) -> str:
    if re.search(r"\\(?![\\,=])", value.replace("\\\\", "")):
        raise SelectorError(f"invalid field selector: invalid escape sequence in {value}")
    if re.search(r"(?<!\\)=", value.replace("\\\\", "")):
        raise SelectorError(f"invalid field selector: unescaped rune in value: {value}")
    return re.sub(r"\\([\\,=])", r"\1", value)
