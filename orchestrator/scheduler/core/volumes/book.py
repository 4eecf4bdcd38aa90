"""The scheduler's picture of storage: what there is, who uses it, and what pods demand of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from orchestrator.resources.objects import name_of, namespace_of
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.volumes.attaching import Attaching
from orchestrator.scheduler.core.volumes.changes import NO_CHANGE, VolumeChange
from orchestrator.scheduler.core.volumes.claims import Claim, claim_of
from orchestrator.scheduler.core.volumes.demands import Parts, VolumeDemand
from orchestrator.scheduler.core.volumes.facts import ClaimFacts
from orchestrator.scheduler.core.volumes.matching import choose
from orchestrator.scheduler.core.volumes.migration import DRIVERS, Attachment
from orchestrator.scheduler.core.volumes.persistent import ClaimKey
from orchestrator.scheduler.core.volumes.resolving import (
    demand_of,
    held_by,
    unbound_claims,
    volumes_of,
)
from orchestrator.scheduler.core.volumes.supply import Supply
from orchestrator.scheduler.core.volumes.usage import PodVolumes, Usage

CLAIMS: Final = "persistentvolumeclaims"
VOLUMES: Final = "persistentvolumes"
CLASSES: Final = "storageclasses.storage.k8s.io"
CSI_NODES: Final = "csinodes.storage.k8s.io"
CSI_DRIVERS: Final = "csidrivers.storage.k8s.io"
CAPACITIES: Final = "csistoragecapacities.storage.k8s.io"
ATTACHMENTS: Final = "volumeattachments.storage.k8s.io"

RESOURCES: Final = (
    CLASSES, VOLUMES, CLAIMS, CSI_NODES, CSI_DRIVERS, CAPACITIES, ATTACHMENTS,
)  # fmt: skip
"""What to follow; in this order less is found twice when all is listed."""

_KNOWN_DEMANDS = 4096


class Reservation(NamedTuple):
    """What was decided about the unbound claims of a pod, and is to be written.

    Attributes:
        node: The node it was decided for.
        volumes: Names of volumes, and the claims they are to be bound to.
        provisions: Claims whose volumes are to be made for the node.
    """

    node: str
    volumes: tuple[tuple[str, ClaimKey], ...]
    provisions: tuple[ClaimKey, ...]


class VolumeBook:
    """Storage objects, and the volumes of pods.

    Whoever keeps it hands over every storage object (`put`, `remove`) and every pod (`resolve`,
    `forget`), says which pods count on which node (`attach`, `detach`), and resolves pods anew
    that `take_stale` names.

    Attributes:
        supply: What claims can be given.
        usage: Who uses which claims and volumes, and where.
        claims: PersistentVolumeClaims.
    """

    def __init__(self) -> None:
        self.supply = Supply()
        self.usage = Usage()
        self.claims: dict[ClaimKey, Claim] = {}
        self._by_volume: dict[str, dict[ClaimKey, None]] = {}
        self._facts: dict[ClaimKey, ClaimFacts] = {}
        self._stale: dict[str, None] = {}
        self._simple: dict[Any, VolumeDemand] = {}
        self._demands: dict[VolumeDemand, VolumeDemand] = {}
        self._attaching = Attaching(self.supply.volumes, self.usage)

    # ---- pods

    def resolve(
        self, spec: Mapping[str, Any], namespace: str, name: str, uid: str
    ) -> VolumeDemand | None:
        """Note a pod, and return what its volumes demand; None, for most pods, for nothing.

        To be called again for pods that `take_stale` returns.

        Args:
            spec: Of the pod.
            namespace: Of the pod.
            name: Of the pod: the claims of its ephemeral volumes are named after it.
            uid: Of the pod: it owns those claims.
        """
        if not spec.get("volumes"):
            return None
        pod = self.usage.pods.get(uid)
        if pod is None:
            pod = volumes_of(spec, namespace, name, uid)
            if pod is None:
                return None
            self._stale.update(dict.fromkeys(self.usage.add(pod)))
        return self._demand(pod)

    def forget(self, uid: str) -> None:
        """Forget a pod: it is gone, or has finished."""
        self.detach(uid)
        self.usage.remove(uid)
        self._stale.pop(uid, None)

    def attach(self, uid: str, node: str) -> None:
        """Count a pod's volumes on a node, in place of another one."""
        pod = self.usage.pods.get(uid)
        if pod is not None:
            if pod.node:
                self.usage.detach(pod)
            self.usage.attach(pod, node, self._held(pod))

    def detach(self, uid: str) -> None:
        """Count a pod's volumes on no node."""
        pod = self.usage.pods.get(uid)
        if pod is not None and pod.node:
            self.usage.detach(pod)

    def take_stale(self) -> list[str]:
        """Return the uids of pods whose demand may have changed since they were resolved."""
        if not self._stale:
            return []
        stale, self._stale = self._stale, {}
        return list(stale)

    def revision(self, demand: VolumeDemand) -> int:
        """Return a number that grows when verdicts may change on nodes that nothing happened to."""
        parts = demand.parts
        if len(parts.unbound) == 1 and not parts.exclusive:
            return self.supply.revision(parts.unbound[0].storage_class)
        classes = [wanted.storage_class for wanted in parts.unbound]
        return sum(self.usage.revision(key) for key in parts.exclusive) + sum(
            self.supply.revision(name, len(classes)) for name in dict.fromkeys(classes)
        )

    # ---- what is decided, and not written yet

    def reserve(self, uid: str, node: str, labels: Mapping[str, str]) -> Reservation | str | None:
        """Choose volumes for a pod's unbound claims on a node and keep them for it.

        Returns:
            What is to be written; None for a pod that has no such claims; or the reason why the
            node has nothing for them (any more).
        """
        pod = self.usage.pods.get(uid)
        claims = [] if pod is None else unbound_claims(pod, self.facts, self.usage.is_shared)
        if not claims:
            return None
        choice = choose([wanted for _, wanted in claims], node, labels, self.supply)
        if isinstance(choice, str):
            return choice
        reservation = Reservation(
            node,
            tuple((name, claims[position][0]) for position, name in choice.volumes),
            tuple(claims[position][0] for position in choice.provisions),
        )
        for name, key in reservation.volumes:
            self.supply.reserve(name, key)
        for key in reservation.provisions:
            self.supply.provision(key, node)
        return reservation

    def restore(self, reservation: Reservation) -> None:
        """Keep again, in a book that was written anew, what was reserved and does not show."""
        for name, key in reservation.volumes:
            volume = self.supply.volumes.get(name)
            if volume is not None and volume.reference is None:
                self.supply.reserve(name, key)
        for key in reservation.provisions:
            claim = self.claims.get(key)
            if claim is not None and not claim.wanted.node and not claim.volume:
                self.supply.provision(key, reservation.node)

    def release(self, reservation: Reservation) -> VolumeChange:
        """Give back what was reserved; what was written already stays as it is written.

        Returns:
            Whom that helps.
        """
        classes: set[str] = set()
        for name, key in reservation.volumes:
            volume = self.supply.release(name, key)
            if volume is not None:
                classes.add(volume.storage_class)
        for key in reservation.provisions:
            claim = self.claims.get(key)
            if self.supply.unprovision(key, reservation.node) and claim is not None:
                classes.add(claim.wanted.storage_class)
        if not classes:
            return NO_CHANGE
        return VolumeChange(ClusterEvent.VOLUME, classes=frozenset(classes))

    # ---- storage objects

    def put(self, resource: str, obj: Mapping[str, Any]) -> VolumeChange:
        """Take over a new or changed object of one of `RESOURCES`."""
        match resource:
            case "persistentvolumeclaims":
                return self._put_claim(obj)
            case "persistentvolumes":
                return self._put_volume(obj)
            case "storageclasses.storage.k8s.io":
                return self._put_class(obj)
            case "csinodes.storage.k8s.io":
                return self._put_csi_node(obj)
            case "csidrivers.storage.k8s.io":
                tracked = bool((obj.get("spec") or {}).get("storageCapacity"))
                return self._track(name_of(obj), tracked=tracked)
            case "csistoragecapacities.storage.k8s.io":
                grown = self.supply.put_capacity(obj)
                if grown is None:
                    return NO_CHANGE
                return VolumeChange(ClusterEvent.CSI_CAPACITY, classes=frozenset((grown,)))
            case "volumeattachments.storage.k8s.io":
                return self._attaching.put(obj)
            case _:
                raise ValueError(f"{resource} is not one of {RESOURCES}")

    def remove(self, resource: str, obj: Mapping[str, Any]) -> VolumeChange:
        """Forget an object that is gone."""
        name = name_of(obj)
        match resource:
            case "persistentvolumeclaims":
                key = ClaimKey(namespace_of(obj), name)
                claim = self.claims.pop(key, None)
                if claim is not None and claim.volume:
                    self._unlink(claim.volume, key)
                self._invalidate(key)
                self.usage.lose(key)
            case "persistentvolumes":
                known = self.supply.remove_volume(name)
                if known is not None:
                    self._spread(name, known.attachment)
                    if known.reference is not None:
                        self._invalidate(known.reference.claim)
                    return VolumeChange(nodes=self._attaching.recount(name))
            case "storageclasses.storage.k8s.io":
                self.supply.remove_class(name)
                self._invalidate_class(name)
            case "csinodes.storage.k8s.io":
                return self._put_csi_node({"metadata": {"name": name}})
            case "csidrivers.storage.k8s.io":
                return self._track(name, tracked=False)
            case "csistoragecapacities.storage.k8s.io":
                self.supply.remove_capacity((namespace_of(obj), name))
            case "volumeattachments.storage.k8s.io":
                return self._attaching.remove(name)
            case _:
                raise ValueError(f"{resource} is not one of {RESOURCES}")
        return NO_CHANGE

    def facts(self, key: ClaimKey) -> ClaimFacts | None:
        """Return what is known of a claim; None if it does not exist."""
        found = self._facts.get(key)
        if found is None:
            claim = self.claims.get(key)
            if claim is None:
                return None
            found = self._facts[key] = ClaimFacts(claim, self.supply)
        return found

    # ---- demands

    def _demand(self, pod: PodVolumes) -> VolumeDemand:
        """Find a pod's demand; one object for all that are equal, as far as it is remembered."""
        if len(pod.claims) == 1 and not pod.disks and not pod.attachments:
            # The usual case by far: one claim, which is bound and nobody else's.
            key, ephemeral = pod.claims[0]
            found = self.facts(key)
            if (
                found is not None
                and found.bound
                and found.alone
                and not (found.missing or ephemeral or found.problem)
                and not self.usage.is_shared(key)
            ):
                driver = None if found.attachment is None else found.attachment.driver
                simple = (driver, found.affinity, found.zones)
                known = self._simple.get(simple)
                if known is None:
                    if len(self._simple) >= _KNOWN_DEMANDS:
                        self._simple.clear()
                    known = self._simple[simple] = self._intern(_simple_demand(*simple))
                return known
        return self._intern(demand_of(pod, self.facts, self.usage.is_shared))

    def _intern(self, demand: VolumeDemand) -> VolumeDemand:
        if len(self._demands) >= _KNOWN_DEMANDS:
            self._demands.clear()
        return self._demands.setdefault(demand, demand)

    def _held(self, pod: PodVolumes) -> Iterable[Attachment]:
        if len(pod.claims) == 1 and not pod.attachments:
            found = self.facts(pod.claims[0].key)
            return () if found is None or found.attachment is None else (found.attachment,)
        return held_by(pod, self.facts)

    # ---- what changes mean

    def _invalidate(self, key: ClaimKey) -> None:
        """Find out anew what a claim means to the pods that use it."""
        self._facts.pop(key, None)
        for uid in self.usage.users(key):
            self._stale[uid] = None
            pod = self.usage.pods[uid]
            if pod.node:
                self.usage.hold(pod, self._held(pod))

    def _put_claim(self, obj: Mapping[str, Any]) -> VolumeChange:
        claim = claim_of(obj)
        known = self.claims.get(claim.key)
        if known == claim:
            return NO_CHANGE
        if known is not None and known.volume != claim.volume and known.volume:
            self._unlink(known.volume, claim.key)
        self.claims[claim.key] = claim
        if claim.volume:
            self._by_volume.setdefault(claim.volume, {})[claim.key] = None
        self.supply.unprovision(claim.key, claim.wanted.node, shows=True)
        self._invalidate(claim.key)
        return VolumeChange(ClusterEvent.CLAIM)

    def _unlink(self, volume: str, key: ClaimKey) -> None:
        claims = self._by_volume[volume]
        claims.pop(key, None)
        if not claims:
            del self._by_volume[volume]

    def _put_volume(self, obj: Mapping[str, Any]) -> VolumeChange:
        known, volume = self.supply.put_volume(obj)
        if known == volume:
            return NO_CHANGE
        same = known is not None and known.attachment == volume.attachment
        self._spread(volume.name, volume.attachment)
        if known is not None and not same:
            self._spread(volume.name, known.attachment)
        nodes = () if same else self._attaching.recount(volume.name)
        before = None if known is None else known.reference
        if before != volume.reference:
            for reference in (before, volume.reference):
                if reference is not None:
                    self._invalidate(reference.claim)
        return VolumeChange(ClusterEvent.VOLUME, nodes, classes=frozenset((volume.storage_class,)))

    def _spread(self, name: str, attachment: Attachment | None) -> None:
        """Look anew at the claims of a volume, and of others of the same handle."""
        names = [name]
        if attachment is not None:
            names += self.supply.handles.get(attachment, ())
        for each in dict.fromkeys(names):
            for key in self._by_volume.get(each, ()):
                self._invalidate(key)

    def _put_class(self, obj: Mapping[str, Any]) -> VolumeChange:
        known = self.supply.classes.get(name_of(obj))
        found = self.supply.put_class(obj)
        if known == found:
            return NO_CHANGE
        self._invalidate_class(found.name)
        return VolumeChange(ClusterEvent.STORAGE_CLASS, classes=frozenset((found.name,)))

    def _invalidate_class(self, name: str) -> None:
        for key, claim in self.claims.items():
            if claim.wanted.storage_class == name and not claim.bound:
                self._invalidate(key)

    def _track(self, driver: str, *, tracked: bool) -> VolumeChange:
        classes = self.supply.track(driver, tracked=tracked)
        if tracked or not classes:  # being held to what there is room for helps nobody
            return NO_CHANGE
        return VolumeChange(ClusterEvent.CSI_DRIVER, classes=frozenset(classes))

    def _put_csi_node(self, obj: Mapping[str, Any]) -> VolumeChange:
        name = name_of(obj)
        node = self.usage.node(name)
        limits, migrated = node.limits, node.migrated
        node.describe(obj)
        if (limits, migrated) == (node.limits, node.migrated):
            self.usage.tidy(name)
            return NO_CHANGE
        drivers = {
            driver
            for driver, limit in limits.items()
            if driver not in node.limits or node.limits[driver] > limit
        }
        drivers |= {plugin for plugin, driver in DRIVERS.items() if driver in drivers}
        drivers |= migrated - node.migrated
        self.usage.tidy(name)
        event = ClusterEvent.CSI_NODE if drivers else ClusterEvent(0)
        return VolumeChange(event, (name,), drivers=frozenset(drivers))


def _simple_demand(driver: Any, affinity: Any, zones: Any) -> VolumeDemand:
    return VolumeDemand(
        Parts(
            counts=() if driver is None else ((driver, 1),),
            bound=() if affinity is None else (affinity,),
            zones=() if zones is None else (zones,),
        )
    )


__all__ = ["RESOURCES", "Reservation", "VolumeBook"]
