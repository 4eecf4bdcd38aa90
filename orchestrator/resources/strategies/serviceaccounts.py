"""ServiceAccounts."""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._strategy import Strategy, build

_MOUNTABLE: Final = "kubernetes.io/enforce-mountable-secrets"


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of ServiceAccounts."""
    return build(
        has_status=False,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True),),
        update_checks=(metadata_update_check(),),
        warnings=_warnings,
    )


def _warnings(new: Object, old: Object | None) -> list[str]:
    """Warn of an annotation on its way out, unless it was there before."""
    annotations = (new.get("metadata") or {}).get("annotations") or {}
    before = ((old or {}).get("metadata") or {}).get("annotations") or {}
    if _MOUNTABLE not in annotations or _MOUNTABLE in before:
        return []
    advice = "prefer separate namespaces to isolate access to mounted secrets"
    return [f"metadata.annotations[{_MOUNTABLE}]: deprecated in v1.32+; {advice}"]
