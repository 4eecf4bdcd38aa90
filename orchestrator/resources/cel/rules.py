"""``x-kubernetes-validations``: the rules of a structural schema, compiled and evaluated.

`check_rules` is for a CustomResourceDefinition that is written, `compile_rules` for the objects
that are. Messages and paths are those of k8s.io/apiextensions-apiserver.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from orchestrator.resources.cel.costs import PER_CALL_LIMIT, RULES_BUDGET
from orchestrator.resources.cel.environments import Environment, Program
from orchestrator.resources.cel.errors import BudgetExceeded, EvaluationError
from orchestrator.resources.cel.field_paths import normalized
from orchestrator.resources.cel.nodes import Ident
from orchestrator.resources.cel.schemas import declared
from orchestrator.resources.cel.types import Type, optional_of
from orchestrator.resources.cel.values import NONE, OptionalValue
from orchestrator.resources.errors import FieldError

_OUT_OF_BUDGET = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)
_LONGEST_MESSAGE = 5 * 1024
"""Bytes of an evaluated message, upstream's limit."""


class Rule(NamedTuple):
    """One compiled rule.

    Attributes:
        source: Its JSON.
        program: The rule itself.
        message: The compiled ``messageExpression``, or None.
        transition: Whether it looks at ``oldSelf``.
        optional: Whether ``oldSelf`` is an optional, ``optionalOldSelf``.
        field_path: ``fieldPath`` as it is appended to the path, ``.spec.replicas``.
    """

    source: Mapping[str, Any]
    program: Program
    message: Program | None
    transition: bool
    optional: bool
    field_path: str

    @property
    def shown(self) -> str:
        """The message, or the rule when it has none."""
        return str(self.source.get("message") or self.source.get("rule") or "").strip()


class Outcome(NamedTuple):
    """What the rules say of an object.

    Attributes:
        problems: What refuses it.
        warnings: Failures in parts that were as wrong before and did not change.
        remaining: What is left of the budget; negative when it ran out.
    """

    problems: list[FieldError]
    warnings: list[FieldError]
    remaining: int


class Level(NamedTuple):
    """The rules of one schema and of those under it.

    Attributes:
        schema: As JSON.
        kind: Of the values, ``object``.
        type: As expressions see them.
        rules: For these values themselves.
        properties: By JSON name.
        additional: For the values of a map.
        items: For the elements of a list.
        all_of: Further rules for the same values.
    """

    schema: Mapping[str, Any]
    kind: str
    type: Type
    rules: tuple[Rule, ...]
    properties: Mapping[str, Level]
    additional: Level | None
    items: Level | None
    all_of: tuple[Level, ...]

    def validate(
        self,
        value: Any,
        old: Any = None,
        *,
        path: str = "",
        budget: int = RULES_BUDGET,
        ratchet: bool = True,
    ) -> Outcome:
        """Evaluate every rule for a value that is valid otherwise.

        Args:
            value: The new value.
            old: The present one; None when it is created.
            path: Of the value.
            budget: Units that all rules together may cost.
            ratchet: Whether what did not change is only warned of.
        """
        run = _Run(budget, ratchet and old is not None)
        run.level(self, value, old, path, _Match(ratchet and old is not None, value, old))
        return Outcome(run.problems, run.warnings, run.budget)


def compile_rules(schema: Mapping[str, Any], *, root: bool = True) -> Level | None:
    """Compile all rules of a schema whose rules `check_rules` has accepted.

    Args:
        schema: ``openAPIV3Schema`` as JSON.
        root: Whether it describes a whole object.

    Returns:
        None when there are no rules in it: nothing is to be done then.

    Raises:
        CompileError: A rule is refused.
    """
    return _level(schema, schema, root) if has_rules(schema) else None


def has_rules(schema: Any) -> bool:
    """Tell whether a schema or one under it has rules."""
    if not isinstance(schema, Mapping):
        return False
    if schema.get("x-kubernetes-validations"):
        return True
    properties = schema.get("properties")
    below = list(properties.values()) if isinstance(properties, Mapping) else []
    below += [schema.get("items"), schema.get("additionalProperties")]
    below += schema.get("allOf") or []
    return any(map(has_rules, below))


def _level(rules: Mapping[str, Any], schema: Mapping[str, Any], root: bool) -> Level | None:
    """Compile one level; the rules of an ``allOf`` stand in another schema than their types."""
    found = declared(schema, root=root)
    if found is None:
        return None
    compiled = tuple(
        compile_rule(rule, found.type, schema)
        for rule in rules.get("x-kubernetes-validations") or ()
        if str(rule.get("rule") or "").strip()
    )
    properties: dict[str, Level] = {}
    for name, below in (rules.get("properties") or {}).items():
        spine = (schema.get("properties") or {}).get(name)
        if isinstance(spine, Mapping) and has_rules(below):
            level = _below(below, spine)
            if level is not None:
                properties[name] = level
    all_of = [_level(one, schema, root) for one in rules.get("allOf") or () if has_rules(one)]
    kind = "object" if root else str(schema.get("type") or "")
    return Level(
        schema=schema,
        kind=kind,
        type=found.type,
        rules=compiled,
        properties=properties,
        additional=_under(rules, schema, "additionalProperties"),
        items=_under(rules, schema, "items"),
        all_of=tuple(level for level in all_of if level is not None),
    )


def _under(rules: Mapping[str, Any], schema: Mapping[str, Any], name: str) -> Level | None:
    below, spine = rules.get(name), schema.get(name)
    if isinstance(below, Mapping) and isinstance(spine, Mapping) and has_rules(below):
        return _below(below, spine)
    return None


def _below(rules: Mapping[str, Any], schema: Mapping[str, Any]) -> Level | None:
    return _level(rules, schema, bool(schema.get("x-kubernetes-embedded-resource")))


def environment(found: Type, *, optional: bool) -> Environment:
    """Return what a rule may use: ``self`` and ``oldSelf``."""
    return Environment({"self": found, "oldSelf": optional_of(found) if optional else found})


def compile_rule(rule: Mapping[str, Any], found: Type, schema: Mapping[str, Any]) -> Rule:
    """Compile one rule.

    Raises:
        CompileError: The rule or its ``messageExpression`` is refused.
    """
    optional = bool(rule.get("optionalOldSelf"))
    declared_here = environment(found, optional=optional)
    program = declared_here.compile(str(rule["rule"]))
    message = rule.get("messageExpression")
    field_path = str(rule.get("fieldPath") or "")
    return Rule(
        source=rule,
        program=program,
        message=declared_here.compile(message) if message else None,
        transition=refers_to(program, "oldSelf"),
        optional=optional,
        field_path=normalized(field_path, schema) if field_path else "",
    )


def refers_to(program: Program, name: str) -> bool:
    """Tell whether an expression uses a variable."""
    return any(isinstance(node, Ident) and node.name == name for node in program.checked.types)


class _Match(NamedTuple):
    """How a value goes with the one it was: what has not changed is ratcheted.

    Attributes:
        known: Whether there is a value before that this one comes from.
        value: The present value, or of the nearest part above that has one before.
        old: What that was.
    """

    known: bool
    value: Any
    old: Any

    def below(self, value: Any, old: Any) -> _Match:
        return _Match(True, value, old) if self.known and old is not None else self

    @property
    def unchanged(self) -> bool:
        return self.known and (self.value is self.old or bool(self.value == self.old))


class _Run:
    """One evaluation of all rules for one object."""

    def __init__(self, budget: int, ratchet: bool) -> None:
        self.budget = budget
        self.problems: list[FieldError] = []
        self.warnings: list[FieldError] = []
        self._ratchet = ratchet

    def level(self, level: Level, value: Any, old: Any, path: str, match: _Match) -> bool:
        """Evaluate a level and those under it; False when the budget is spent."""
        if value is None:
            return True
        if not self._rules(level, value, old, path, match):
            return False
        for further in level.all_of:
            if not self.level(further, value, old, path, match):
                return False
        return all(
            self.level(below, item, before, where, match.below(item, before))
            for below, item, before, where in _children(level, value, old, path)
        )

    def _rules(self, level: Level, value: Any, old: Any, path: str, match: _Match) -> bool:
        if not level.rules:
            return True
        convert = level.type.convert
        current = value if convert is None else convert(value)
        before = old if convert is None or old is None else convert(old)
        for rule in level.rules:
            if self.budget <= 0:
                self._refuse(level, path, _OUT_OF_BUDGET)
                return False
            if rule.transition and old is None and not rule.optional:
                continue
            given = before
            if rule.optional:
                given = NONE if old is None else OptionalValue(before)
            if not self._rule(level, rule, (current, given), path, match):
                return False
        return True

    def _rule(
        self, level: Level, rule: Rule, values: Sequence[Any], path: str, match: _Match
    ) -> bool:
        limit = min(PER_CALL_LIMIT, self.budget)
        try:
            holds, cost = rule.program.run(values, limit)
        except BudgetExceeded as error:
            if limit < PER_CALL_LIMIT:
                self._refuse(level, path, _OUT_OF_BUDGET)
            else:
                self._refuse(
                    level,
                    path,
                    f"'{error}': no further validation rules will be run due to call cost "
                    f"exceeds limit for rule: {rule.shown}",
                )
            self.budget = -1
            return False
        except EvaluationError as error:
            text = str(error)
            if text.startswith("no such overload"):
                text = (
                    f"'{text}': call arguments did not match a supported operator, function or "
                    f"macro signature for rule: {rule.shown}"
                )
            else:
                text = f"{text} evaluating rule: {rule.shown}"
            self._refuse(level, path, text)
            return True
        self.budget -= cost
        if holds is True:
            return True
        told = self._message(rule, values)
        refused = _refusal(rule, level.kind, f"{path}{rule.field_path}", told)
        ratcheted = self._ratchet and not rule.transition and match.unchanged
        (self.warnings if ratcheted else self.problems).append(refused)
        return self.budget >= 0

    def _message(self, rule: Rule, values: Sequence[Any]) -> str:
        fallback = str(rule.source.get("message") or "").strip() or f"failed rule: {rule.shown}"
        if rule.message is None:
            return fallback
        source = rule.source["messageExpression"]
        limit = min(PER_CALL_LIMIT, self.budget)
        try:
            text, cost = rule.message.run(values, limit)
        except BudgetExceeded:
            self.budget = -1
            if limit < PER_CALL_LIMIT:
                return (
                    "messageExpression evaluation failed due to running out of cost budget, no "
                    "further validation rules will be run"
                )
            return (
                "no further validation rules will be run due to call cost exceeds limit for "
                f'messageExpression: "{source}"'
            )
        except EvaluationError:
            return fallback
        self.budget -= cost
        text = text.strip() if isinstance(text, str) else ""
        fits = text and "\n" not in text and len(text.encode()) <= _LONGEST_MESSAGE
        return text if fits else fallback

    def _refuse(self, level: Level, path: str, detail: str) -> None:
        message = f'Invalid value: "{level.kind}": {detail}'
        self.problems.append(FieldError("FieldValueInvalid", _path(path), message))


def _path(path: str) -> str:
    # The path of the whole object is a nil pointer upstream, and shows.
    return path.removeprefix(".") or "<nil>"


def _refusal(rule: Rule, kind: str, path: str, detail: str) -> FieldError:
    reason = rule.source.get("reason") or "FieldValueInvalid"
    words = {
        "FieldValueForbidden": f"Forbidden: {detail}",
        "FieldValueRequired": f"Required value: {detail}",
        "FieldValueDuplicate": f'Duplicate value: "{kind}"',
    }
    message = words.get(reason, f'Invalid value: "{kind}": {detail}')
    return FieldError(reason, _path(path), message)


def _children(
    level: Level, value: Any, old: Any, path: str
) -> Iterator[tuple[Level, Any, Any, str]]:
    if isinstance(value, Mapping):
        atomic = level.schema.get("x-kubernetes-map-type") == "atomic"
        before = old if isinstance(old, Mapping) and not atomic else {}
        if level.additional is not None:
            for key, item in value.items():
                yield level.additional, item, before.get(key), f"{path}[{key}]"
        for name, below in level.properties.items():
            if name in value:
                yield below, value[name], before.get(name), f"{path}.{name}"
    elif isinstance(value, list) and level.items is not None:
        matching = _old_items(level.schema, old)
        keys = level.schema.get("x-kubernetes-list-map-keys") or ()
        for index, item in enumerate(value):
            before_item = matching.get(_key(item, keys)) if matching else None
            yield level.items, item, before_item, f"{path}[{index}]"


def _old_items(schema: Mapping[str, Any], old: Any) -> dict[Any, Any]:
    """Only elements of lists that are maps can be told to be the same as before."""
    if schema.get("x-kubernetes-list-type") != "map" or not isinstance(old, list):
        return {}
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    return {_key(item, keys): item for item in old}


def _key(item: Any, keys: Iterable[str]) -> Any:
    if not isinstance(item, Mapping):
        return None
    return tuple(str(item.get(key)) for key in keys)
