"""Clusters in tests: a pytest plugin, operators and clients beside them, failed tests' reports.

`pytest` loads the plugin by itself; a project that uses no fixture of it pays next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.lazily import exports

if TYPE_CHECKING:
    from actors.testing import run_virtual, virtual
    from orchestrator.testing.clients import (
        kr8s_client,
        kubernetes_asyncio_client,
        kubernetes_client,
        lightkube_client,
    )
    from orchestrator.testing.operator_logs import HandlerFailure
    from orchestrator.testing.operators import KopfOperator, SyncKopfOperator, kopf_operator
    from orchestrator.testing.reports import describe

_HOMES: Final = {
    "HandlerFailure": "orchestrator.testing.operator_logs",
    "KopfOperator": "orchestrator.testing.operators",
    "SyncKopfOperator": "orchestrator.testing.operators",
    "describe": "orchestrator.testing.reports",
    "kopf_operator": "orchestrator.testing.operators",
    "kr8s_client": "orchestrator.testing.clients",
    "kubernetes_asyncio_client": "orchestrator.testing.clients",
    "kubernetes_client": "orchestrator.testing.clients",
    "lightkube_client": "orchestrator.testing.clients",
    "run_virtual": "actors.testing",
    "virtual": "actors.testing",
}
__all__ = [
    "HandlerFailure",
    "KopfOperator",
    "SyncKopfOperator",
    "describe",
    "kopf_operator",
    "kr8s_client",
    "kubernetes_asyncio_client",
    "kubernetes_client",
    "lightkube_client",
    "run_virtual",
    "virtual",
]

__getattr__ = exports(__name__, _HOMES)
