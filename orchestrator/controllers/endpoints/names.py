"""What the endpoints of Services are called: resources, labels, annotations, limits."""

from __future__ import annotations

from typing import Final

SLICES: Final = "endpointslices.discovery.k8s.io"
ENDPOINTS: Final = "endpoints"

SLICE_LIMIT: Final = 100
"""Endpoints in one slice; upstream's max-endpoints-per-slice."""

ENDPOINTS_LIMIT: Final = 1000
"""Addresses in one Endpoints object, which cannot be split; upstream's number."""

SERVICE_LABEL: Final = "kubernetes.io/service-name"
MANAGER_LABEL: Final = "endpointslice.kubernetes.io/managed-by"
MANAGER: Final = "endpointslice-controller.k8s.io"
OLD_MANAGER_LABEL: Final = "endpoints.kubernetes.io/managed-by"
OLD_MANAGER: Final = "endpoint-controller"
HEADLESS_LABEL: Final = "service.kubernetes.io/headless"
OVER_CAPACITY: Final = "endpoints.kubernetes.io/over-capacity"

RESERVED: Final = frozenset({SERVICE_LABEL, MANAGER_LABEL, OLD_MANAGER_LABEL, HEADLESS_LABEL})
"""Labels of slices and Endpoints that do not come from their Service."""

TRIGGER_TIME: Final = "endpoints.kubernetes.io/last-change-trigger-time"
"""Annotation: when the first change happened that a write brings."""
