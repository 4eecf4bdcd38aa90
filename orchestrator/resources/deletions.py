"""What a DELETE answers with: the object, or a Status."""

from __future__ import annotations

from typing import Final

RETURNS_DELETED: Final = frozenset(
    {
        "csidrivers.storage.k8s.io",
        "csinodes.storage.k8s.io",
        "persistentvolumeclaims",
        "persistentvolumes",
        "pods",
        "podtemplates",
        "resourcequotas",
        "serviceaccounts",
        "services",
        "storageclasses.storage.k8s.io",
        "volumeattachments.storage.k8s.io",
    }
)
"""Resources whose deletion answers with the object, as upstream's strategies say
(``ReturnDeletedObject``); the others answer with a Status once nothing is left."""
