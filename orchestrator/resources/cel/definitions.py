"""The rules of a definition that is written: what is wrong with them, and what they may cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from orchestrator.resources.cel.costs import EXPRESSION_LIMIT, SCHEMA_LIMIT
from orchestrator.resources.cel.environments import Program
from orchestrator.resources.cel.errors import CompileError
from orchestrator.resources.cel.estimating import MOST, estimate
from orchestrator.resources.cel.field_paths import FieldPathError, normalized
from orchestrator.resources.cel.rules import environment, refers_to
from orchestrator.resources.cel.schemas import REQUEST_SIZE, Declared, declared
from orchestrator.resources.errors import FieldError

_REASONS = ("FieldValueRequired", "FieldValueForbidden", "FieldValueInvalid", "FieldValueDuplicate")
_TRY = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, "
    "maps, and strings are declared)"
)
_LONGEST_MESSAGE = 2048
_COSTLIEST = 4
"""How many of the costliest rules are named when all together cost too much."""


class _Cost(NamedTuple):
    path: str
    cost: int


def check_rules(schema: Mapping[str, Any], path: str, *, root: bool = True) -> list[FieldError]:
    """Return what is wrong with the rules of a structural schema.

    Args:
        schema: ``openAPIV3Schema`` as JSON, which is structural.
        path: Its own, ``spec.versions[0].schema.openAPIV3Schema``.
        root: Whether it describes a whole object.
    """
    checker = _Checker()
    checker.schema(schema, schema, path, root=root, count=1, correlatable=True)
    total = sum(cost.cost for cost in checker.costs)
    if total > SCHEMA_LIMIT:
        costly = [cost for cost in checker.costs if cost.cost * 100 > SCHEMA_LIMIT]
        costliest = sorted(costly, key=lambda cost: -cost.cost)[:_COSTLIEST]
        why = (
            "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 "
            "schema"
        )
        checker.problems += [_forbidden(cost.path, why) for cost in costliest]
        what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        checker.problems.append(_forbidden(path, _too_costly(what, total, SCHEMA_LIMIT)))
    return checker.problems


class _Checker:
    def __init__(self) -> None:
        self.problems: list[FieldError] = []
        self.costs: list[_Cost] = []

    def schema(
        self,
        rules: Mapping[str, Any],
        schema: Mapping[str, Any],
        path: str,
        *,
        root: bool,
        count: int | None,
        correlatable: bool,
    ) -> None:
        """Check a schema and those under it; ``count`` values may have it, None for no limit."""
        found = rules.get("x-kubernetes-validations") or ()
        if found:
            shown = declared(schema, root=root)
            where = f"{path}.x-kubernetes-validations"
            for index, rule in enumerate(found):
                self._rule(rule, shown, schema, f"{where}[{index}]", count, correlatable)
        for below, spine, where, times, same in _under(rules, schema, path):
            self.schema(
                below,
                spine,
                where,
                root=root
                if below in (rules.get("allOf") or ())
                else bool(spine.get("x-kubernetes-embedded-resource")),
                count=None if count is None or times is None else min(count * times, MOST),
                correlatable=correlatable and same,
            )

    def _rule(
        self,
        rule: Mapping[str, Any],
        shown: Declared | None,
        schema: Mapping[str, Any],
        path: str,
        count: int | None,
        correlatable: bool,
    ) -> None:
        source = str(rule.get("rule") or "")
        if not source.strip():
            self._add("FieldValueRequired", f"{path}.rule", "Required value: rule is not specified")
        self._texts(rule, schema, path)
        if shown is None:
            kind = schema.get("type") or ""
            why = (
                f"rule declared on schema that does not support validation rules type: '{kind}' "
                f"x-kubernetes-preserve-unknown-fields: "
                f"'{str(bool(schema.get('x-kubernetes-preserve-unknown-fields'))).lower()}'"
            )
            self._add("InternalError", path, f"Internal error: {why}")
            return
        names = environment(shown.type, optional=bool(rule.get("optionalOldSelf")))
        times = REQUEST_SIZE // (shown.least + 1) if count is None else count
        for name, wanted in (("rule", "bool"), ("messageExpression", "string")):
            text = str(rule.get(name) or "")
            if not text.strip():
                continue
            try:
                program = names.compile(text)
            except CompileError as error:
                self._invalid(f"{path}.{name}", text, f"compilation failed: {error}")
                continue
            if program.result.kind != wanted:
                article = "cel expression must evaluate to a bool"
                if name != "rule":
                    article = "messageExpression must evaluate to a string"
                self._invalid(f"{path}.{name}", text, article)
                continue
            self._priced(program, f"{path}.{name}", name, times)
            if name == "rule":
                self._transition(rule, program, path, correlatable)

    def _transition(
        self, rule: Mapping[str, Any], program: Program, path: str, correlatable: bool
    ) -> None:
        if not refers_to(program, "oldSelf"):
            if rule.get("optionalOldSelf") is not None:
                self._invalid(
                    f"{path}.optionalOldSelf",
                    rule["optionalOldSelf"],
                    "may not be set if oldSelf is not used in rule",
                )
        elif not correlatable:
            self._invalid(
                f"{path}.rule",
                rule["rule"],
                "oldSelf cannot be used on the uncorrelatable portion of the schema within "
                + path.rpartition(".x-kubernetes-validations")[0],
            )

    def _priced(self, program: Program, path: str, name: str, times: int) -> None:
        total = min(estimate(program.checked).high * times, MOST)
        if total > EXPRESSION_LIMIT:
            what = f"estimated {name} cost"
            self.problems.append(_forbidden(path, _too_costly(what, total, EXPRESSION_LIMIT)))
        self.costs.append(_Cost(path, total))

    def _texts(self, rule: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> None:
        message = rule.get("message")
        if message is not None and message != "":
            text = str(message)
            if not text.strip():
                self._invalid(f"{path}.message", text, "message must be non-empty if specified")
            elif "\n" in text or "\r" in text:
                self._invalid(f"{path}.message", text, "message must not contain line breaks")
            elif len(text) > _LONGEST_MESSAGE:
                self._invalid(
                    f"{path}.message",
                    text[:10] + "...",
                    f"message must have a maximum length of {_LONGEST_MESSAGE} characters",
                )
        source = str(rule.get("rule") or "")
        if "\n" in source.strip() and not message:
            self._add(
                "FieldValueRequired",
                f"{path}.message",
                "Required value: message must be specified if rule contains line breaks",
            )
        reason = rule.get("reason")
        if reason is not None and reason not in _REASONS:
            shown = ", ".join(f'"{one}"' for one in sorted(_REASONS))
            self._add(
                "FieldValueNotSupported",
                f"{path}.reason",
                f'Unsupported value: "{reason}": supported values: {shown}',
            )
        field_path = rule.get("fieldPath")
        if field_path:
            try:
                normalized(str(field_path), schema)
            except FieldPathError as error:
                self._invalid(
                    f"{path}.fieldPath", field_path, f"fieldPath must be a valid path: {error}"
                )

    def _invalid(self, path: str, value: Any, why: str) -> None:
        shown = str(value).lower() if isinstance(value, bool) else f'"{_quoted(str(value))}"'
        self._add("FieldValueInvalid", path, f"Invalid value: {shown}: {why}")

    def _add(self, reason: str, path: str, message: str) -> None:
        self.problems.append(FieldError(reason, path, message))


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _under(
    rules: Mapping[str, Any], schema: Mapping[str, Any], path: str
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], str, int | None, bool]]:
    """Yield the schemas under one: rules, types, path, how many values, and whether they last."""
    spine = schema.get("properties") or {}
    atomic = schema.get("x-kubernetes-map-type") == "atomic"
    for name, below in (rules.get("properties") or {}).items():
        if isinstance(below, Mapping) and isinstance(spine.get(name), Mapping):
            yield below, spine[name], f"{path}.properties[{name}]", 1, not atomic
    more, more_spine = rules.get("additionalProperties"), schema.get("additionalProperties")
    if isinstance(more, Mapping) and isinstance(more_spine, Mapping):
        times = schema.get("maxProperties")
        yield more, more_spine, f"{path}.additionalProperties", times, not atomic
    items, items_spine = rules.get("items"), schema.get("items")
    if isinstance(items, Mapping) and isinstance(items_spine, Mapping):
        lasting = schema.get("x-kubernetes-list-type") == "map"
        yield items, items_spine, f"{path}.items", schema.get("maxItems"), lasting
    for index, one in enumerate(rules.get("allOf") or ()):
        if isinstance(one, Mapping):
            yield one, schema, f"{path}.allOf[{index}]", 1, True


def _too_costly(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    if factor > 100:
        shown = "more than 100x"
    elif factor < 1.5:
        shown = f"{factor:f}x"
    else:
        shown = f"{factor:.1f}x"
    return f"{what} exceeds budget by factor of {shown} {_TRY}"


def _forbidden(path: str, why: str) -> FieldError:
    return FieldError("FieldValueForbidden", path, f"Forbidden: {why}")
