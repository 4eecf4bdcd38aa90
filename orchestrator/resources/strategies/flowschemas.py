"""FlowSchemas: which requests belong to which priority level.

Source: pkg/apis/flowcontrol/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.flowcontrol.defaults import MANDATORY, SCHEMA_SPECS
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, name_of, spec_of, status_of
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    not_supported,
    required,
)
from orchestrator.resources.strategies._defaults import in_spec
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part, put
from orchestrator.resources.strategies._strategy import Strategy, build

_HIGHEST: Final = 10000
_DEFAULT: Final = 1000
_METHODS: Final = ("ByNamespace", "ByUser")
_SUBJECTS: Final = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}
_ORDER: Final = ("serviceAccount", "user", "group")
_VERBS: Final = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "proxy",
    "update",
    "watch",
)
_ONE_VERB: Final = "verbs must contain at least one value"
_NAMESPACE: Final = "each member of this list must be '*' or a DNS-1123 label; "


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of FlowSchemas."""
    metadata_update = metadata_update_check()
    return build(
        has_status=True,
        first_status={},
        generation=True,
        default=in_spec(_default),
        create_checks=(metadata_check(names.dns_subdomain, namespaced=False), _spec),
        update_checks=(metadata_update,),
        status_metadata=(),
        status_checks=(metadata_update, lambda new, _old: status_problems(new)),
    )


def _default(spec: Part) -> Part:
    return spec if spec.get("matchingPrecedence") else put(spec, "matchingPrecedence", _DEFAULT)


def status_problems(obj: Object) -> list[FieldError]:
    """Check the conditions of flow control's kinds."""
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, condition in enumerate(status_of(obj).get("conditions") or ()):
        field = f"status.conditions[{index}].type"
        type_ = condition.get("type") or ""
        if type_ in seen:
            found.append(duplicate(field, type_))
        seen.add(type_)
        if not type_:
            found.append(required(field, "must not be empty"))
    return found


def _spec(obj: Object) -> list[FieldError]:
    name, spec = name_of(obj), spec_of(obj)
    field = "spec.matchingPrecedence"
    precedence = spec.get("matchingPrecedence") or 0
    found: list[FieldError] = []
    if precedence <= 0:
        found.append(invalid(field, precedence, "must be a positive value"))
    if precedence > _HIGHEST:
        found.append(invalid(field, precedence, f"must not be greater than {_HIGHEST}"))
    if precedence == 1 and name != "exempt":
        why = "only the schema named 'exempt' may have matchingPrecedence 1"
        found.append(invalid(field, precedence, why))
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in _METHODS:
        given = {"Type": method.get("type") or ""}
        found.append(not_supported("spec.distinguisherMethod.type", given, _METHODS))
    level = (spec.get("priorityLevelConfiguration") or {}).get("name") or ""
    field = "spec.priorityLevelConfiguration.name"
    if not level:
        found.append(required(field, "must reference a priority level"))
    else:
        found += each_invalid(field, level, names.dns_subdomain(level))
    for index, rule in enumerate(spec.get("rules") or ()):
        found += _rule(rule, f"spec.rules[{index}]")
    if name in MANDATORY and spec != SCHEMA_SPECS[name]:
        found.append(invalid("spec", spec, f"spec of '{name}' must equal the fixed value"))
    return found


def _rule(rule: Part, at: str) -> list[FieldError]:
    subjects = rule.get("subjects") or []
    found: list[FieldError] = []
    for index, subject in enumerate(subjects):
        found += _subject(subject, f"{at}.subjects[{index}]")
    if not subjects:
        found.append(required(f"{at}.subjects", "subjects must contain at least one value"))
    resources, others = rule.get("resourceRules") or [], rule.get("nonResourceRules") or []
    if not resources and not others:
        why = "at least one of resourceRules and nonResourceRules has to be non-empty"
        found.append(required(at, why))
    for index, part in enumerate(resources):
        found += _resources(part, f"{at}.resourceRules[{index}]")
    for index, part in enumerate(others):
        found += _paths(part, f"{at}.nonResourceRules[{index}]")
    return found


def _subject(subject: Part, at: str) -> list[FieldError]:
    kind = subject.get("kind") or ""
    own = _SUBJECTS.get(kind)
    if own is None:
        return [not_supported(f"{at}.kind", kind, _SUBJECTS)]
    given = subject.get(own)
    if given is None:
        found = [required(f"{at}.{own}", f"{own} is required when subject kind is '{kind}'")]
    else:
        found = _named(given, f"{at}.{own}", account=own == "serviceAccount")
    return found + [
        forbidden(f"{at}.{other}", f"{other} is forbidden when subject kind is not '{named}'")
        for other in _ORDER
        for named, field in _SUBJECTS.items()
        if field == other != own and subject.get(other) is not None
    ]


def _named(given: Part, at: str, *, account: bool) -> list[FieldError]:
    name = given.get("name") or ""
    found = [] if name else [required(f"{at}.name")]
    if not account:
        return found
    if name and name != "*":
        found += each_invalid(f"{at}.name", name, names.dns_subdomain(name))
    namespace = given.get("namespace") or ""
    if not namespace:
        why = "must specify namespace for service account"
        return [*found, required(f"{at}.namespace", why)]
    return found + each_invalid(f"{at}.namespace", namespace, names.dns_label(namespace))


def _verbs(verbs: list[str], at: str) -> list[FieldError]:
    if not verbs:
        return [required(at, _ONE_VERB)]
    if "*" in verbs:
        return _alone(verbs, at, "verbs")
    return [] if set(verbs) <= set(_VERBS) else [not_supported(at, verbs, _VERBS)]


def _alone(given: list[str], at: str, what: str) -> list[FieldError]:
    if len(given) < 2 or "*" not in given:
        return []
    return [invalid(at, given, f"if '*' is present, must not specify other {what}")]


def _resources(rule: Part, at: str) -> list[FieldError]:
    found = _verbs(rule.get("verbs") or [], f"{at}.verbs")
    for field, one, others in (
        ("apiGroups", "api group", "api groups"),
        ("resources", "resource", "resources"),
    ):
        given = rule.get(field) or []
        if not given:
            why = f"resource rules must supply at least one {one}"
            found.append(required(f"{at}.{field}", why))
        found += _alone(given, f"{at}.{field}", others)
    spaces = rule.get("namespaces") or []
    field = f"{at}.namespaces"
    if not spaces and not rule.get("clusterScope"):
        why = "resource rules that are not cluster scoped must supply at least one namespace"
        found.append(required(field, why))
    elif "*" in spaces:
        found += _alone(spaces, field, "namespaces")
    else:
        found += [
            invalid(f"{field}[{index}]", space, f"{_NAMESPACE}{wrong}")
            for index, space in enumerate(spaces)
            for wrong in names.dns_label(space)
        ]
    return found


def _paths(rule: Part, at: str) -> list[FieldError]:
    found = _verbs(rule.get("verbs") or [], f"{at}.verbs")
    paths = rule.get("nonResourceURLs") or []
    field = f"{at}.nonResourceURLs"
    if not paths:
        return [*found, required(field, "nonResourceURLs must contain at least one value")]
    if "*" in paths:
        return found + _alone(paths, field, "non-resource URLs")
    return found + [
        invalid(f"{field}[{index}]", path, wrong)
        for index, path in enumerate(paths)
        if (wrong := _path(path))
    ]


def _path(path: str) -> str:
    if not path:
        return "must not be empty"
    if not path.startswith("/"):
        return "must start with slash"
    if " " in path:
        return "must not contain white-space"
    if "//" in path:
        return "must not contain double slash"
    if path.count("*") > 1 or ("*" in path and not path.endswith("/*")):
        return "wildcard can only do suffix matching"
    return ""
