"""The OpenAPI documents that clients read: ``kubectl explain``, validation, code generators."""

from __future__ import annotations

from orchestrator.resources.openapi._documents import (
    openapi_v2,
    openapi_v3,
    openapi_v3_index,
    openapi_v3_usage,
    openapi_v3_usage_index,
)

__all__ = [
    "openapi_v2",
    "openapi_v3",
    "openapi_v3_index",
    "openapi_v3_usage",
    "openapi_v3_usage_index",
]
