"""ServiceCIDRs: ranges that addresses of Services come from; one can only be added.

Source: pkg/apis/networking/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.problems import IMMUTABLE, invalid, required
from orchestrator.resources.strategies._formats import network_of, strict_network
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._strategy import Strategy, build

_FIELD = "spec.cidrs"
_ONE_EACH = (
    "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
)


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of ServiceCIDRs."""
    metadata_update = metadata_update_check()
    return build(
        has_status=True,
        first_status={},
        create_checks=(metadata_check(names.dns_subdomain, namespaced=False), _ranges),
        update_checks=(metadata_update, _update),
        status_metadata=(),
        status_checks=(metadata_update,),
        rechecks=False,
    )


def _ranges(obj: Object) -> list[FieldError]:
    ranges = spec_of(obj).get("cidrs") or []
    if not ranges:
        return [required(_FIELD, "at least one CIDR required")]
    if len(ranges) > 2:
        return [invalid(_FIELD, {"CIDRs": ranges}, "may only hold up to 2 values")]
    found = [
        problem
        for index, text in enumerate(ranges)
        for problem in strict_network(f"{_FIELD}[{index}]", text)
    ]
    families = [network.version for text in ranges if (network := network_of(text))]
    if len(families) == 2 and families[0] == families[1]:
        found.append(invalid(_FIELD, ranges, _ONE_EACH))
    return found


def _update(new: Object, old: Object) -> list[FieldError]:
    after, before = spec_of(new).get("cidrs") or [], spec_of(old).get("cidrs") or []
    if len(before) == len(after):
        return [
            invalid(f"{_FIELD}[{index}]", text, IMMUTABLE)
            for index, (text, was) in enumerate(zip(after, before, strict=True))
            if text != was
        ]
    if (len(before), len(after)) != (1, 2):
        return [invalid(_FIELD, after, IMMUTABLE)]
    kept = after[0] == before[0]
    found = [] if kept else [invalid(f"{_FIELD}[0]", after[0], IMMUTABLE)]
    return found + _ranges(new)
