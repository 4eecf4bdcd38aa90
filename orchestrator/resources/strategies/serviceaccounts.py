"""ServiceAccounts."""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.kinds import Kind
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._strategy import Strategy, build


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of ServiceAccounts."""
    return build(
        has_status=False,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True),),
        update_checks=(metadata_update_check(),),
    )
