"""StorageClasses and VolumeAttributesClasses: names of drivers and what they are told.

Source: pkg/apis/storage/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    forbidden,
    if_given,
    immutable,
    invalid,
    one_of,
    required,
    too_long,
)
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part, filled
from orchestrator.resources.strategies._strategy import (
    Strategy,
    ValidateUpdate,
    build,
    combined_update,
)

_RECLAIM: Final = ("Delete", "Retain")
_BINDING: Final = ("Immediate", "WaitForFirstConsumer")
_PARAMETERS: Final = 512
_PARAMETER_BYTES: Final = 256 * 1024


def strategy(kind: Kind) -> Strategy:
    """Build the rules of classes of storage, or of the attributes of volumes."""
    metadata = metadata_check(names.dns_subdomain, namespaced=False)
    if kind.kind == "VolumeAttributesClass":
        fixed = combined_update(metadata_update_check(), _fixed("driverName", "parameters"))
        return build(
            has_status=False,
            create_checks=(metadata, _attributes),
            update_checks=(fixed,),
        )
    return build(
        has_status=False,
        default=lambda obj: filled(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate"),
        create_checks=(metadata, _storage),
        update_checks=(
            metadata_update_check(),
            _fixed("parameters", "provisioner", "reclaimPolicy"),
            _binding,
        ),
        rechecks=False,
    )


def _fixed(*fields: str) -> ValidateUpdate:
    def check(new: Object, old: Object) -> list[FieldError]:
        return [
            forbidden(field, f"updates to {field} are forbidden.")
            for field in fields
            if (new.get(field) or None) != (old.get(field) or None)
        ]

    return check


def _binding(new: Object, old: Object) -> list[FieldError]:
    field = "volumeBindingMode"
    return immutable(field, new.get(field), old.get(field))


def _attributes(obj: Object) -> list[FieldError]:
    found = _driver("driverName", obj.get("driverName") or "")
    parameters = obj.get("parameters") or {}
    found += _parameters(parameters)
    if not parameters:
        found.append(required("parameters", "must contain at least one key/value pair"))
    return found


def _storage(obj: Object) -> list[FieldError]:
    found = _driver("provisioner", obj.get("provisioner") or "")
    found += _parameters(obj.get("parameters") or {})
    found += if_given("reclaimPolicy", obj.get("reclaimPolicy") or None, _RECLAIM)
    found += one_of("volumeBindingMode", obj.get("volumeBindingMode"), _BINDING)
    return found + _topologies(obj.get("allowedTopologies") or [])


def _driver(field: str, name: str) -> list[FieldError]:
    if not name:
        return [required(field)]
    return each_invalid(field, name.lower(), names.qualified_name(name.lower()))


def _parameters(parameters: dict[str, str]) -> list[FieldError]:
    if len(parameters) > _PARAMETERS:
        return [too_long("parameters", _PARAMETERS)]
    found = [invalid("parameters", "", "field can not be empty.")] if "" in parameters else []
    size = sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items())
    return [*found, too_long("parameters", _PARAMETER_BYTES)] if size > _PARAMETER_BYTES else found


def _topologies(terms: list[Part]) -> list[FieldError]:
    found: list[FieldError] = []
    # Upstream compares with as many empty terms as there are terms, and says each match.
    seen: list[dict[str, set[str]]] = [{} for _ in terms]
    for index, term in enumerate(terms):
        at = f"allowedTopologies[{index}].matchLabelExpressions"
        values: dict[str, set[str]] = {}
        for number, expression in enumerate(term.get("matchLabelExpressions") or ()):
            here = f"{at}[{number}]"
            key = expression.get("key") or ""
            found += _expression(expression, key, here)
            if key in values:
                found.append(duplicate(f"{here}.key", key))
            values[key] = set(expression.get("values") or ())
        found += [duplicate(at, "") for other in seen if other == values]
        seen.append(values)
    return found


def _expression(expression: Part, key: str, at: str) -> list[FieldError]:
    values = expression.get("values") or []
    found = [] if values else [required(f"{at}.values")]
    found += [
        duplicate(f"{at}.values[{index}]", value)
        for index, value in enumerate(values)
        if value in values[:index]
    ]
    return found + each_invalid(f"{at}.key", key, names.qualified_name(key))
