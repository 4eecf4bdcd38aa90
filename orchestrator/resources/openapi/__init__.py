"""The OpenAPI documents that clients read: ``kubectl explain``, validation, code generators."""

from __future__ import annotations

from orchestrator.resources.openapi._documents import (
    openapi_v2,
    openapi_v2_protobuf,
    openapi_v3,
    openapi_v3_index,
)
from orchestrator.resources.openapi._protobuf import MEDIA_TYPE as OPENAPI_V2_PROTOBUF

__all__ = [
    "OPENAPI_V2_PROTOBUF",
    "openapi_v2",
    "openapi_v2_protobuf",
    "openapi_v3",
    "openapi_v3_index",
]
