"""The four volume plugins: disks in use, attachment limits, binding, zones.

Left out, since nothing else here has them either: disks of plugins that moved to CSI drivers,
VolumeAttachments that no pod explains, and CSIStorageCapacity.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from orchestrator.resources import quantities
from orchestrator.resources.selectors import label_selector
from tests.scheduler.twin.nodes import term_selects
from tests.scheduler.twin.plugin import Plugin, Rejection
from tests.scheduler.twin.snapshot import Object, Snapshot, find, labels, name, namespace, uid

SELECTED_NODE = "volume.kubernetes.io/selected-node"
ZONE_LABELS = (
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
)
NEWER = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}


class VolumeRestrictions(Plugin):
    """A disk that one pod may mount at a time, and claims that only one pod may use."""

    name = "VolumeRestrictions"

    def prefilter(self) -> Rejection | None:
        for claim_name, ephemeral in claims_of(self.pod):
            found = find(self.snapshot.claims, claim_name, namespace(self.pod))
            if found is None and not ephemeral:
                return self.rejection(not_found("claim", claim_name), resolvable=False)
        return None

    def filter(self, node: Object) -> Rejection | None:
        mine = self.pod["spec"].get("volumes") or ()
        for other in self.snapshot.pods_on(node):
            for theirs in other["spec"].get("volumes") or ():
                if any(collide(volume, theirs) for volume in mine):
                    return self.rejection("node(s) had no available disk", resolvable=True)
        for claim_name, _ in claims_of(self.pod):
            claim = find(self.snapshot.claims, claim_name, namespace(self.pod))
            assert claim is not None
            if "ReadWriteOncePod" in (claim["spec"].get("accessModes") or ()) and any(
                namespace(other) == namespace(self.pod)
                and claim_name in [used for used, _ in claims_of(other)]
                for somewhere in self.snapshot.nodes
                for other in self.snapshot.pods_on(somewhere)
            ):
                return self.rejection(
                    "node has pod using PersistentVolumeClaim with the same name and "
                    "ReadWriteOncePod access mode",
                    resolvable=True,
                )
        return None


class NodeVolumeLimits(Plugin):
    """A CSI driver attaches only so many volumes to a node."""

    name = "NodeVolumeLimits"

    def filter(self, node: Object) -> Rejection | None:
        attached = {
            volume
            for other in self.snapshot.pods_on(node)
            for volume in attachable(self.snapshot, other)
        }
        new = attachable(self.snapshot, self.pod) - attached
        for driver, limit in self._limits(node).items():
            mine = sum(volume.driver == driver for volume in new)
            there = sum(volume.driver == driver for volume in attached)
            if mine and there + mine > limit:
                return self.rejection("node(s) exceed max volume count", resolvable=True)
        return None

    def _limits(self, node: Object) -> dict[str, int]:
        csi_node = find(self.snapshot.csi_nodes, name(node))
        drivers = (csi_node or {"spec": {}})["spec"].get("drivers") or ()
        return {
            driver["name"]: driver["allocatable"]["count"]
            for driver in drivers
            if (driver.get("allocatable") or {}).get("count") is not None
        }


class VolumeBinding(Plugin):
    """Claims must be bound to volumes the node can reach, or be able to be."""

    name = "VolumeBinding"

    def prefilter(self) -> Rejection | None:
        for claim_name, ephemeral in claims_of(self.pod):
            problem = self._problem(claim_name, ephemeral)
            if problem is not None:
                return self.rejection(problem, resolvable=False)
        if any(
            not is_bound(claim) and (not self._waits(claim) or claim["spec"].get("volumeName"))
            for claim in self._claims()
        ):
            return self.rejection(
                "pod has unbound immediate PersistentVolumeClaims", resolvable=False
            )
        return None

    def _problem(self, claim_name: str, ephemeral: bool) -> str | None:
        """Return what is wrong with a claim whatever the node."""
        claim = find(self.snapshot.claims, claim_name, namespace(self.pod))
        if claim is None:
            if ephemeral:
                return (
                    "waiting for ephemeral volume controller to create the "
                    f'persistentvolumeclaim "{claim_name}"'
                )
            return not_found("claim", claim_name)
        if (claim.get("status") or {}).get("phase") == "Lost":
            return (
                f'persistentvolumeclaim "{claim_name}" bound to non-existent persistentvolume '
                f'"{claim["spec"].get("volumeName") or ""}"'
            )
        if claim["metadata"].get("deletionTimestamp"):
            return f'persistentvolumeclaim "{claim_name}" is being deleted'
        if ephemeral and not any(
            owner.get("controller") and owner.get("uid") == uid(self.pod)
            for owner in claim["metadata"].get("ownerReferences") or ()
        ):
            where = namespace(self.pod)
            return (
                f"PVC {where}/{claim_name} was not created for pod {where}/{name(self.pod)} "
                "(pod is not owner)"
            )
        return None

    def filter(self, node: Object) -> Rejection | None:
        bound = [claim for claim in self._claims() if is_bound(claim)]
        unbound = [claim for claim in self._claims() if not is_bound(claim)]
        reasons = []
        if not self._reaches(node, bound):
            reasons.append("node(s) didn't match PersistentVolume's node affinity")
        if not self._can_bind(node, unbound):
            reasons.append("node(s) didn't find available persistent volumes to bind")
        if any(find(self.snapshot.volumes, claim["spec"]["volumeName"]) is None for claim in bound):
            reasons.append(
                "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
            )
        return self.rejection(*reasons, resolvable=False) if reasons else None

    def _claims(self) -> list[Object]:
        found = (
            find(self.snapshot.claims, claim_name, namespace(self.pod))
            for claim_name, _ in claims_of(self.pod)
        )
        return [claim for claim in found if claim is not None]

    def _class(self, claim: Object) -> Object | None:
        return find(self.snapshot.classes, claim["spec"].get("storageClassName") or "")

    def _waits(self, claim: Object) -> bool:
        """Tell whether a claim is bound only when its first pod has been placed."""
        found = self._class(claim)
        return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"

    def _reaches(self, node: Object, claims: Iterable[Object]) -> bool:
        """Tell whether the node can reach the bound claims' volumes, as far as they exist."""
        for claim in claims:
            volume = find(self.snapshot.volumes, claim["spec"]["volumeName"])
            if volume is not None and not reachable(volume, node):
                return False
        return True

    def _can_bind(self, node: Object, claims: Sequence[Object]) -> bool:
        """Tell whether each claim finds a volume or can be provisioned, the smallest first."""
        taken: list[Object] = []
        to_provision: list[Object] = []
        to_match: list[Object] = []
        for claim in claims:
            chosen = (claim["metadata"].get("annotations") or {}).get(SELECTED_NODE)
            if chosen is not None and chosen != name(node):
                return False
            (to_match if chosen is None else to_provision).append(claim)
        for claim in sorted(to_match, key=wanted_bytes):
            volume = self._match(claim, node, taken)
            if volume is None:
                to_provision.append(claim)
            else:
                taken.append(volume)
        return all(self._can_provision(claim, node) for claim in to_provision)

    def _match(self, claim: Object, node: Object, taken: Sequence[Object]) -> Object | None:
        """Return the smallest volume that would do; one that is reserved for the claim first."""
        fitting = []
        for volume in self.snapshot.volumes:
            spec = volume["spec"]
            owner = spec.get("claimRef")
            if volume in taken or volume["metadata"].get("deletionTimestamp"):
                continue
            if (spec.get("storageClassName") or "") != (
                claim["spec"].get("storageClassName") or ""
            ):
                continue
            if (spec.get("volumeMode") or "Filesystem") != (
                claim["spec"].get("volumeMode") or "Filesystem"
            ):
                continue
            if quantities.whole(spec["capacity"]["storage"]) < wanted_bytes(claim):
                continue
            if owner is not None:
                if is_reserved(owner, claim):
                    return volume if reachable(volume, node) else None
                continue
            if not set(claim["spec"].get("accessModes") or ()) <= set(spec["accessModes"]):
                continue
            if not reachable(volume, node):
                continue
            if ((volume.get("status") or {}).get("phase") or "") != "Available":
                continue
            selector = claim["spec"].get("selector")
            if selector is not None and not label_selector(selector).matches(labels(volume)):
                continue
            fitting.append(volume)
        return min(
            fitting,
            key=lambda volume: quantities.whole(volume["spec"]["capacity"]["storage"]),
            default=None,
        )

    def _can_provision(self, claim: Object, node: Object) -> bool:
        found = self._class(claim)
        if found is None or found.get("provisioner") in {None, "", "kubernetes.io/no-provisioner"}:
            return False
        topologies = found.get("allowedTopologies")
        return not topologies or any(
            all(
                labels(node).get(one["key"]) in one["values"]
                for one in topology.get("matchLabelExpressions") or ()
            )
            for topology in topologies
        )


class VolumeZone(Plugin):
    """A volume that is in a zone is reached from that zone only."""

    name = "VolumeZone"

    def prefilter(self) -> Rejection | None:
        for claim_name, _ in claims_of(self.pod):
            claim = find(self.snapshot.claims, claim_name, namespace(self.pod))
            assert claim is not None
            wanted = claim["spec"].get("volumeName")
            if wanted and find(self.snapshot.volumes, wanted) is None:
                return self.rejection(not_found("volume", wanted), resolvable=False)
        return None

    def filter(self, node: Object) -> Rejection | None:
        here = labels(node)
        if not any(label in here for label in ZONE_LABELS):
            return None
        for claim_name, _ in claims_of(self.pod):
            claim = find(self.snapshot.claims, claim_name, namespace(self.pod))
            volume = claim and find(self.snapshot.volumes, claim["spec"].get("volumeName") or "")
            for label in ZONE_LABELS:
                zones = labels(volume).get(label) if volume else None
                if zones is None:
                    continue
                mine = here.get(label, here.get(NEWER.get(label, label)))
                if mine not in zones.split("__"):
                    return self.rejection("node(s) had no available volume zone", resolvable=False)
        return None


def claims_of(pod: Object) -> list[tuple[str, bool]]:
    """Return the names of a pod's claims, and whether each was made for the pod's own volume."""
    found = []
    for volume in pod["spec"].get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            found.append((volume["persistentVolumeClaim"]["claimName"], False))
        elif volume.get("ephemeral"):
            found.append((f"{name(pod)}-{volume['name']}", True))
    return found


def not_found(what: str, which: str) -> str:
    """Return the API's words for an object that is not there."""
    return f'persistentvolume{"claim" if what == "claim" else ""} "{which}" not found'


def is_bound(claim: Object) -> bool:
    """Tell whether a claim is bound for good."""
    annotations = claim["metadata"].get("annotations") or {}
    return bool(claim["spec"].get("volumeName")) and (
        "pv.kubernetes.io/bind-completed" in annotations
    )


def is_reserved(owner: Object, claim: Object) -> bool:
    """Tell whether a volume's ``claimRef`` is about a claim."""
    return (
        owner.get("name") == name(claim)
        and owner.get("namespace") == namespace(claim)
        and owner.get("uid") in {None, "", claim["metadata"].get("uid")}
    )


def wanted_bytes(claim: Object) -> int:
    """Return the size a claim asks for, in bytes."""
    requests = (claim["spec"].get("resources") or {}).get("requests") or {}
    return quantities.whole(requests.get("storage") or 0)


def reachable(volume: Object, node: Object) -> bool:
    """Tell whether a volume's node affinity has the node."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    return required is None or any(
        term_selects(term, node) for term in required.get("nodeSelectorTerms") or ()
    )


class Attachment(NamedTuple):
    """A volume that a driver attaches."""

    driver: str
    handle: str


def attachable(snapshot: Snapshot, pod: Object) -> set[Attachment]:
    """Return a pod's volumes that a CSI driver attaches; unbound ones by their claim."""
    found = set()
    for claim_name, _ in claims_of(pod):
        claim = find(snapshot.claims, claim_name, namespace(pod))
        if claim is None:
            continue
        volume = find(snapshot.volumes, claim["spec"].get("volumeName") or "")
        if volume is not None:
            csi = volume["spec"].get("csi")
            if csi:
                found.add(Attachment(csi["driver"], csi["volumeHandle"]))
            continue
        storage_class = find(snapshot.classes, claim["spec"].get("storageClassName") or "")
        if storage_class is not None:
            handle = f"unbound:{namespace(pod)}/{claim_name}"
            found.add(Attachment(storage_class["provisioner"], handle))
    return found


def collide(one: Object, other: Object) -> bool:
    """Tell whether two volumes are one disk that only one pod may mount (or both read-only)."""
    for kind, identity in (
        ("gcePersistentDisk", ("pdName",)),
        ("iscsi", ("iqn",)),
        ("rbd", ("pool", "image")),
    ):
        mine, theirs = one.get(kind), other.get(kind)
        if mine and theirs and all(mine.get(part) == theirs.get(part) for part in identity):
            if kind == "rbd" and not set(mine["monitors"]) & set(theirs["monitors"]):
                continue
            return not (mine.get("readOnly") and theirs.get("readOnly"))
    mine, theirs = one.get("awsElasticBlockStore"), other.get("awsElasticBlockStore")
    return bool(mine and theirs and mine["volumeID"] == theirs["volumeID"])
