"""Validating and mutating admission policies.

Source: pkg/apis/admissionregistration/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

import re
from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, name_of, spec_of, status_of
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    forbidden,
    if_given,
    invalid,
    one_of,
    required,
)
from orchestrator.resources.strategies import _conditions
from orchestrator.resources.strategies._defaults import in_spec
from orchestrator.resources.strategies._expressions import (
    Purpose,
    Surroundings,
    expression_problems,
)
from orchestrator.resources.strategies._matching import (
    FAILURE_POLICIES,
    REINVOCATION_POLICIES,
    condition_problems,
    default_match,
    match_problems,
)
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part, changed, filled
from orchestrator.resources.strategies._strategy import Strategy, build

_REASONS: Final = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_AUDIT_ANNOTATIONS: Final = 20
_AUDIT_BYTES: Final = 5 * 1024
_NOTHING_TO_DO: Final = "validations or auditAnnotations must contain at least one item"
_PATCH_TYPES: Final = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
_PURPOSES: Final[dict[str, Purpose]] = {"ApplyConfiguration": "apply", "JSONPatch": "patch"}
_identifier = re.compile("[_a-zA-Z][_a-zA-Z0-9]*")
_RESERVED: Final = frozenset(
    {
        *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for"),
        *("function", "if", "import", "let", "loop", "package", "namespace", "return", "var"),
        *("void", "while"),
    }
)
_line_break = re.compile(r"[\n\r]")


def strategy(kind: Kind) -> Strategy:
    """Build the rules of validating or of mutating policies."""
    mutating = kind.kind == "MutatingAdmissionPolicy"
    metadata_update = metadata_update_check()
    return build(
        has_status=not mutating,
        first_status=None if mutating else {},
        generation=True,
        default=in_spec(_default_mutating if mutating else _default),
        create_checks=(
            metadata_check(names.dns_subdomain, namespaced=False),
            _mutating if mutating else _validating,
        ),
        update_checks=(metadata_update,),
        status_metadata=(),
        status_checks=(metadata_update, _status),
    )


def _default(spec: Part) -> Part:
    return changed(filled(spec, failurePolicy="Fail"), "matchConstraints", default_match)


def _default_mutating(spec: Part) -> Part:
    return filled(_default(spec), reinvocationPolicy="Never")


def _common(spec: Part) -> list[FieldError]:
    """Check what both kinds have, up to the variables."""
    policy, kind, match = (
        spec.get(field) for field in ("failurePolicy", "paramKind", "matchConstraints")
    )
    found = one_of("spec.failurePolicy", policy, FAILURE_POLICIES)
    if kind is not None:
        found += _param_kind(kind, "spec.paramKind")
    if match is None:
        found.append(required("spec.matchConstraints"))
    else:
        found += match_problems(match, "spec.matchConstraints")
        if not match.get("resourceRules"):
            found.append(required("spec.matchConstraints.resourceRules"))
    found += condition_problems(
        spec.get("matchConditions"), "spec.matchConditions", params=kind is not None
    )
    before: list[tuple[str, str]] = []
    for index, variable in enumerate(spec.get("variables") or ()):
        around = Surroundings(params=kind is not None, variables=tuple(before))
        found += _variable(variable, f"spec.variables[{index}]", around)
        before.append((variable.get("name") or "", variable.get("expression") or ""))
    return found


def _surroundings(spec: Part) -> Surroundings:
    return Surroundings(
        params=spec.get("paramKind") is not None,
        variables=tuple(
            (variable.get("name") or "", variable.get("expression") or "")
            for variable in spec.get("variables") or ()
        ),
    )


def _param_kind(kind: Part, at: str) -> list[FieldError]:
    version, name = kind.get("apiVersion") or "", kind.get("kind") or ""
    field = f"{at}.apiVersion"
    found: list[FieldError] = []
    if not version:
        found.append(required(field))
    elif version.count("/") > 1:
        found.append(invalid(field, version, f"unexpected GroupVersion string: {version}"))
    else:
        group, _, number = version.rpartition("/")
        if group and (wrong := names.dns_subdomain(group)):
            found.append(invalid(field, group, ",".join(wrong)))
        if not number:
            found.append(invalid(field, version, "version must be specified"))
        elif wrong := names.dns_label_1035(number):
            found.append(invalid(field, number, ",".join(wrong)))
    if not name:
        found.append(required(f"{at}.kind"))
    elif wrong := names.dns_label_1035(name.lower()):
        why = f"may have mixed case, but should otherwise match: {','.join(wrong)}"
        found.append(invalid(f"{at}.kind", name, why))
    return found


def _variable(variable: Part, at: str, around: Surroundings) -> list[FieldError]:
    name, expression = variable.get("name") or "", variable.get("expression") or ""
    found: list[FieldError] = []
    if not name.strip():
        found.append(required(f"{at}.name", "name is not specified"))
    elif not _identifier.fullmatch(name) or name in _RESERVED:
        found.append(invalid(f"{at}.name", name, "name is not a valid CEL identifier"))
    if not expression.strip():
        return [*found, required(f"{at}.expression", "expression is not specified")]
    return found + expression_problems(f"{at}.expression", expression, "variable", around)


def _validating(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    found = _common(spec)
    validations, annotations = spec.get("validations"), spec.get("auditAnnotations") or []
    if not validations and not annotations:
        found += [
            required(f"spec.{field}", _NOTHING_TO_DO)
            for field in ("validations", "auditAnnotations")
        ]
        return found
    around = _surroundings(spec)
    for index, validation in enumerate(validations or ()):
        found += _validation(validation, f"spec.validations[{index}]", around)
    if len(annotations) > _AUDIT_ANNOTATIONS:
        why = f"must not have more than {_AUDIT_ANNOTATIONS} auditAnnotations"
        found.append(invalid("spec.auditAnnotations", annotations, why))
    seen: set[str] = set()
    for index, annotation in enumerate(annotations):
        at = f"spec.auditAnnotations[{index}]"
        key = annotation.get("key") or ""
        found += _audit(annotation, key, at, name_of(obj), around)
        if key in seen:
            found.append(duplicate(f"{at}.key", key))
        seen.add(key)
    return found


def _validation(validation: Part, at: str, around: Surroundings) -> list[FieldError]:
    expression, message, made = (
        validation.get(field) or "" for field in ("expression", "message", "messageExpression")
    )
    found: list[FieldError] = []
    if expression.strip():
        found += expression_problems(f"{at}.expression", expression, "condition", around)
    else:
        found.append(required(f"{at}.expression", "expression is not specified"))
    field = f"{at}.messageExpression"
    if made and not made.strip():
        found.append(invalid(field, made, "must be non-empty if specified"))
    elif made:
        found += expression_problems(field, made, "message", around)
    if message and not message.strip():
        found.append(invalid(f"{at}.message", message, "message must be non-empty if specified"))
    elif _line_break.search(message.strip()):
        found.append(invalid(f"{at}.message", message, "message must not contain line breaks"))
    return found + if_given(f"{at}.reason", validation.get("reason"), _REASONS)


def _audit(
    annotation: Part, key: str, at: str, policy: str, around: Surroundings
) -> list[FieldError]:
    whole = f"{policy}/{key}"
    field = f"{at}.key"
    if policy:
        found = each_invalid(field, whole, names.qualified_name(whole))
    else:
        found = [invalid(field, key, "requires metadata.name be non-empty")]
    expression = (annotation.get("valueExpression") or "").strip()
    field = f"{at}.valueExpression"
    if not expression:
        found.append(required(field, "valueExpression is not specified"))
    elif len(expression.encode()) > _AUDIT_BYTES:
        found.append(required(field, f"must not exceed {_AUDIT_BYTES} bytes in length"))
    else:
        found += expression_problems(field, expression, "audit", around)
    return found


def _mutating(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    found = _common(spec)
    mutations = spec.get("mutations")
    if not mutations:
        found.append(required("spec.mutations", "mutations must contain at least one item"))
    around = _surroundings(spec)
    for index, mutation in enumerate(mutations or ()):
        found += _mutation(mutation, f"spec.mutations[{index}]", around)
    policy = spec.get("reinvocationPolicy")
    return found + one_of("spec.reinvocationPolicy", policy, REINVOCATION_POLICIES)


def _mutation(mutation: Part, at: str, around: Surroundings) -> list[FieldError]:
    type_ = mutation.get("patchType") or ""
    if type_ not in _PATCH_TYPES:
        return one_of(f"{at}.patchType", type_, _PATCH_TYPES)
    found: list[FieldError] = []
    for other, field in _PATCH_TYPES.items():
        patch: dict[str, Any] | None = mutation.get(field)
        if other != type_:
            if patch is not None:
                why = f"must not be specified when patchType is {type_}"
                found.append(forbidden(f"{at}.{field}", why))
            continue
        if patch is None:
            why = f"must be specified when patchType is {type_}"
            found.append(required(f"{at}.{field}", why))
            continue
        expression = patch.get("expression") or ""
        here = f"{at}.{field}.expression"
        if expression.strip():
            found += expression_problems(here, expression, _PURPOSES[type_], around)
        else:
            found.append(required(here, "expression is not specified"))
    return found


def _status(new: Object, _old: Object) -> list[FieldError]:
    status = status_of(new)
    found: list[FieldError] = []
    warnings = (status.get("typeChecking") or {}).get("expressionWarnings") or ()
    for index, warning in enumerate(warnings):
        at = f"status.typeChecking.expressionWarnings[{index}]"
        found += [
            required(f"{at}.{field}")
            for field in ("warning", "fieldRef")
            if not (warning.get(field) or "").strip()
        ]
    found += _conditions.condition_problems(status.get("conditions"), "status.conditions")
    return found
