"""PriorityLevelConfigurations: how many requests run at once, and how many wait.

Source: pkg/apis/flowcontrol/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

import math
from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.flowcontrol.defaults import LEVEL_SPECS, MANDATORY
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, name_of, spec_of
from orchestrator.resources.problems import (
    forbidden,
    in_range,
    invalid,
    not_supported,
    required,
)
from orchestrator.resources.strategies._defaults import in_spec
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part, changed, filled, without
from orchestrator.resources.strategies._strategy import Strategy, build
from orchestrator.resources.strategies.flowschemas import status_problems

_TYPES: Final = ("Exempt", "Limited")
_RESPONSES: Final = ("Queue", "Reject")
_MOST_QUEUES: Final = 10_000_000
_HASH_BITS: Final = 60
_SHARES: Final = 30
_EXEMPT: Final = {"nominalConcurrencyShares": 0, "lendablePercent": 0}
_QUEUES: Final = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}
_NOT_NEGATIVE: Final = "must be a non-negative integer"


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of PriorityLevelConfigurations."""
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
    if spec.get("type") == "Exempt":
        spec = filled(spec, exempt=_EXEMPT)
    spec = changed(spec, "exempt", lambda exempt: filled(exempt, **_EXEMPT))
    return changed(spec, "limited", _default_limited)


def _default_limited(limited: Part) -> Part:
    limited = filled(limited, nominalConcurrencyShares=_SHARES, lendablePercent=0)
    return changed(
        limited, "limitResponse", lambda response: changed(response, "queuing", _default_queues)
    )


def _default_queues(queuing: Part) -> Part:
    return queuing if all(map(queuing.get, _QUEUES)) else {**_QUEUES, **_without_zeros(queuing)}


def _without_zeros(part: Part) -> Part:
    return {field: value for field, value in part.items() if value}


def _spec(obj: Object) -> list[FieldError]:
    name, spec = name_of(obj), spec_of(obj)
    type_ = spec.get("type") or ""
    limited, exempt = spec.get("limited"), spec.get("exempt")
    found: list[FieldError] = []
    if (name == "exempt") != (type_ == "Exempt"):
        why = "type must be 'Exempt' if and only if name is 'exempt'"
        found.append(invalid("spec.type", type_, why))
    if type_ == "Exempt":
        if limited is not None:
            why = "must be nil if the type is not Limited"
            found.append(forbidden("spec.limited", why))
        if exempt is not None:
            found += _shares(exempt, "spec.exempt")
    elif type_ == "Limited":
        if exempt is not None:
            found.append(forbidden("spec.exempt", "must be nil if the type is Limited"))
        if limited is None:
            found.append(required("spec.limited", "must not be empty when type is Limited"))
        else:
            found += _limited(limited, "spec.limited")
    else:
        found.append(not_supported("spec.type", type_, _TYPES))
    return found + (_mandatory(name, spec) if name in MANDATORY else [])


def _mandatory(name: str, spec: Part) -> list[FieldError]:
    fixed = LEVEL_SPECS[name]
    if name != "exempt":
        why = f"spec of '{name}' must equal the fixed value"
        return [] if spec == fixed else [invalid("spec", spec, why)]
    why = f"spec of '{name}' except the 'spec.exempt' field must equal the fixed value"
    return (
        [] if without(spec, "exempt") == without(fixed, "exempt") else [invalid("spec", spec, why)]
    )


def _shares(part: Part, at: str) -> list[FieldError]:
    shares, lendable = part.get("nominalConcurrencyShares") or 0, part.get("lendablePercent") or 0
    found: list[FieldError] = []
    if shares < 0:
        found.append(invalid(f"{at}.nominalConcurrencyShares", shares, _NOT_NEGATIVE))
    if not 0 <= lendable <= 100:
        found.append(invalid(f"{at}.lendablePercent", lendable, in_range(0, 100)))
    return found


def _limited(limited: Part, at: str) -> list[FieldError]:
    shares, lendable = (
        limited.get(field) or 0 for field in ("nominalConcurrencyShares", "lendablePercent")
    )
    borrowing = limited.get("borrowingLimitPercent")
    found: list[FieldError] = []
    if shares < 0:
        found.append(invalid(f"{at}.nominalConcurrencyShares", shares, _NOT_NEGATIVE))
    found += _response(limited.get("limitResponse") or {}, f"{at}.limitResponse")
    if not 0 <= lendable <= 100:
        found.append(invalid(f"{at}.lendablePercent", lendable, in_range(0, 100)))
    if borrowing is not None and borrowing < 0:
        why = "if specified, must be a non-negative integer"
        found.append(invalid(f"{at}.borrowingLimitPercent", borrowing, why))
    return found


def _response(response: Part, at: str) -> list[FieldError]:
    type_, queuing = response.get("type") or "", response.get("queuing")
    if type_ == "Reject":
        if queuing is None:
            return []
        why = "must be nil if limited.limitResponse.type is not Limited"
        return [forbidden(f"{at}.queuing", why)]
    if type_ == "Queue":
        if queuing is not None:
            return _queuing(queuing, f"{at}.queuing")
        why = "must not be empty if limited.limitResponse.type is Limited"
        return [required(f"{at}.queuing", why)]
    return [not_supported(f"{at}.type", type_, _RESPONSES)]


def _queuing(queuing: Part, at: str) -> list[FieldError]:
    length, queues, hand = (
        queuing.get(field) or 0 for field in ("queueLengthLimit", "queues", "handSize")
    )
    found: list[FieldError] = []
    if length <= 0:
        found.append(invalid(f"{at}.queueLengthLimit", length, "must be positive"))
    if queues <= 0:
        found.append(invalid(f"{at}.queues", queues, "must be positive"))
    elif queues > _MOST_QUEUES:
        why = f"must not be greater than {_MOST_QUEUES}"
        found.append(invalid(f"{at}.queues", queues, why))
    if hand <= 0:
        found.append(invalid(f"{at}.handSize", hand, "must be positive"))
    elif hand > queues:
        why = f"should not be greater than queues ({queues})"
        found.append(invalid(f"{at}.handSize", hand, why))
    elif math.ceil(math.log2(queues) * hand) > _HASH_BITS:
        why = (
            f"required entropy bits of deckSize {queues} and handSize {hand} should not be "
            f"greater than {_HASH_BITS}"
        )
        found.append(invalid(f"{at}.handSize", hand, why))
    return found
