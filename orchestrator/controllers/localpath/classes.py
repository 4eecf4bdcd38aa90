"""The class that a new cluster has for claims that name none."""

from __future__ import annotations

from typing import Final

from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, name_of
from orchestrator.store import Create, Store

NAME: Final = "orchestrator.io/local-path"
"""The provisioner."""
CLASS: Final = "local-path"
_CLASSES: Final = "storageclasses.storage.k8s.io"


def default_class() -> Object:
    """Return the class that a new cluster has: volumes are made where their first pod goes."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": NAME,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
    }


async def ensure_default_class(store: Store) -> None:
    """Make the default class where it is missing; one that is there is left as it is.

    Raises:
        StatusError: It could not be made.
    """
    made = default_class()
    if store.get(_CLASSES, "", name_of(made)) is None:
        for result in await store.write([Create(_CLASSES, made)]):
            if isinstance(result, StatusError) and result.reason != "AlreadyExists":
                raise result
