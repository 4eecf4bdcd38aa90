"""In-tree volume plugins that CSI drivers have taken over.

A volume of such a plugin counts towards its driver's limit on a node whose CSINode says that the
plugin has been migrated there. Source: k8s.io/csi-translation-lib, and ``isCSIMigrationOn`` of the
NodeVolumeLimits plugin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

MIGRATED_PLUGINS: Final = "storage.alpha.kubernetes.io/migrated-plugins"
"""The CSINode's annotation: in-tree plugins, separated by commas."""

DRIVERS: Final[Mapping[str, str]] = {
    "kubernetes.io/aws-ebs": "ebs.csi.aws.com",
    "kubernetes.io/azure-disk": "disk.csi.azure.com",
    "kubernetes.io/cinder": "cinder.csi.openstack.org",
    "kubernetes.io/gce-pd": "pd.csi.storage.gke.io",
    "kubernetes.io/portworx-volume": "pxd.portworx.com",
}
"""The CSI drivers by the names of the in-tree plugins whose volumes count."""

_SOURCES: Final = {
    "awsElasticBlockStore": ("kubernetes.io/aws-ebs", "volumeID"),
    "azureDisk": ("kubernetes.io/azure-disk", "diskURI"),
    "cinder": ("kubernetes.io/cinder", "volumeID"),
    "gcePersistentDisk": ("kubernetes.io/gce-pd", "pdName"),
    "portworxVolume": ("kubernetes.io/portworx-volume", "volumeID"),
}

IN_TREE: Final = frozenset(_SOURCES)
"""The names of the volume sources, in pods and in PersistentVolumes."""


class Attachment(NamedTuple):
    """What a volume takes of a node's limit.

    Attributes:
        driver: The CSI driver, or the in-tree plugin: see `DRIVERS`.
        handle: Tells the driver's volumes apart.
    """

    driver: str
    handle: str


def in_tree_attachment(source: Mapping[str, Any]) -> Attachment | None:
    """Return what an in-tree volume takes; None for one that is not in-tree or does not count.

    Args:
        source: A volume of a pod, or the spec of a PersistentVolume.
    """
    for name in IN_TREE.intersection(source):
        part = source[name]
        if part:
            plugin, field = _SOURCES[name]
            return Attachment(plugin, part.get(field) or "")
    return None
