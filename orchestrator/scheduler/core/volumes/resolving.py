"""From a pod's volumes to what they demand of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from orchestrator.scheduler.core.volumes.claims import Wanted
from orchestrator.scheduler.core.volumes.demands import Parts, Refusal, VolumeDemand
from orchestrator.scheduler.core.volumes.disks import EXCLUSIVE, disks_of
from orchestrator.scheduler.core.volumes.facts import UNBOUND, ClaimFacts
from orchestrator.scheduler.core.volumes.migration import IN_TREE, Attachment, in_tree_attachment
from orchestrator.scheduler.core.volumes.persistent import Affinity, ClaimKey, Zones
from orchestrator.scheduler.core.volumes.usage import ClaimUse, PodVolumes

_INLINE: Final = EXCLUSIVE | IN_TREE
_RELEVANT: Final = _INLINE | {"persistentVolumeClaim", "ephemeral"}
_RESTRICTIONS: Final = "VolumeRestrictions"
_LIMITS: Final = "NodeVolumeLimits"
_BINDING: Final = "VolumeBinding"
_ZONE: Final = "VolumeZone"

Facts = Callable[[ClaimKey], ClaimFacts | None]


def has_relevant(spec: Mapping[str, Any]) -> bool:
    """Tell whether a pod has volumes that matter for scheduling."""
    return bool(_relevant(spec))


def _relevant(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [volume for volume in spec.get("volumes") or () if not _RELEVANT.isdisjoint(volume)]


def volumes_of(spec: Mapping[str, Any], namespace: str, name: str, uid: str) -> PodVolumes | None:
    """Find the volumes of a pod that matter for scheduling; None, for most pods, if none does."""
    relevant = _relevant(spec)
    if not relevant:
        return None
    if len(relevant) == 1 and (source := relevant[0].get("persistentVolumeClaim")):
        only = ClaimUse(ClaimKey(namespace, source.get("claimName") or ""), False)
        return PodVolumes(uid, f"{namespace}/{name}", (only,))
    claims: dict[ClaimUse, None] = {}
    inline: list[Mapping[str, Any]] = []
    for volume in relevant:
        source = volume.get("persistentVolumeClaim")
        if source:
            claims[ClaimUse(ClaimKey(namespace, source.get("claimName") or ""), False)] = None
        elif volume.get("ephemeral"):
            claims[ClaimUse(ClaimKey(namespace, f"{name}-{volume.get('name')}"), True)] = None
        else:
            inline.append(volume)
    return PodVolumes(
        uid,
        f"{namespace}/{name}",
        tuple(claims),
        tuple(disk for volume in inline for disk in disks_of(volume)),
        tuple(found for volume in inline if (found := in_tree_attachment(volume)) is not None),
    )


def held_by(pod: PodVolumes, facts: Facts) -> Iterable[Attachment]:
    """Return what a pod has attached where it runs; claims that are not there do not count."""
    found = [known.attachment for key, _ in pod.claims if (known := facts(key)) is not None]
    return dict.fromkeys((*(each for each in found if each is not None), *pod.attachments))


def demand_of(pod: PodVolumes, facts: Facts, is_shared: Callable[[ClaimKey], bool]) -> VolumeDemand:
    """Return what a pod's volumes demand, as the storage objects are now.

    Args:
        pod: The pod's volumes.
        facts: What is known of a claim; None for one that does not exist.
        is_shared: Whether more than one pod uses a claim.
    """
    known = [(use, facts(use.key)) for use in pod.claims]
    refusals = tuple(_refusals(pod, known))
    exclusive: list[ClaimKey] = []
    counts: dict[str, int] = {}
    shared: dict[Attachment, None] = dict.fromkeys(pod.attachments)
    bound: dict[Affinity | None, None] = {}
    zones: dict[Zones, None] = {}
    for (key, ephemeral), found in known:
        if found is None:
            continue
        common = is_shared(key)
        if found.claim.exclusive and common and not ephemeral:
            exclusive.append(key)
        if found.attachment is not None:
            if common or not found.alone:
                shared[found.attachment] = None
            else:
                counts[found.attachment.driver] = counts.get(found.attachment.driver, 0) + 1
        if found.missing:
            bound[None] = None
        elif found.affinity is not None:
            bound[found.affinity] = None
        if found.zones is not None and not ephemeral:
            zones[found.zones] = None
    return VolumeDemand(
        Parts(
            refusals=refusals,
            disks=pod.disks,
            exclusive=tuple(exclusive),
            counts=tuple(sorted(counts.items())),
            shared=tuple(sorted(shared)),
            bound=tuple(bound),
            zones=tuple(zones),
            unbound=tuple(wanted for _, wanted in unbound_claims(pod, facts, is_shared)),
        )
    )


def unbound_claims(
    pod: PodVolumes, facts: Facts, is_shared: Callable[[ClaimKey], bool]
) -> list[tuple[ClaimKey, Wanted]]:
    """Return the claims that wait for their first pod, and what they ask for; smallest first."""
    found: list[tuple[ClaimKey, Wanted]] = []
    for key, _ in pod.claims:
        known = facts(key)
        if known is not None and known.wanted is not None:
            by_name = known.meant or is_shared(key)
            found.append((key, known.wanted_by_name() if by_name else known.wanted))
    if len(found) > 1:
        found.sort(key=lambda claim: claim[1].size or 0)
    return found


def _refusals(
    pod: PodVolumes, known: Iterable[tuple[ClaimUse, ClaimFacts | None]]
) -> Iterable[Refusal]:
    """Say why the pod fits on no node, at most once for each plugin.

    NodeVolumeLimits comes last: it says so when it is asked about a node, the others before any
    node is looked at.
    """
    refusals: dict[str, str] = {}
    immediate = False
    for (key, ephemeral), found in known:
        if found is None:
            missing = f'persistentvolumeclaim "{key.name}" not found'
            if not ephemeral:
                refusals.setdefault(_RESTRICTIONS, missing)
                refusals.setdefault(_ZONE, missing)
            refusals.setdefault(_LIMITS, f"looking up PVC {key.namespace}/{key.name}: {missing}")
            waiting = (
                "waiting for ephemeral volume controller to create the persistentvolumeclaim "
                f'"{key.name}"'
            )
            refusals.setdefault(_BINDING, waiting if ephemeral else missing)
            continue
        if found.problem is not None:
            refusals.setdefault(_BINDING, found.problem)
        elif ephemeral and found.claim.owner != pod.uid:
            foreign = (
                f"PVC {key.namespace}/{key.name} was not created for pod {pod.name} "
                "(pod is not owner)"
            )
            refusals.setdefault(_LIMITS, foreign)
            refusals.setdefault(_BINDING, foreign)
        if found.zone_problem is not None and not ephemeral:
            refusals.setdefault(_ZONE, found.zone_problem)
        immediate = immediate or found.immediate
    if immediate:
        refusals.setdefault(_BINDING, UNBOUND)
    for plugin in (_RESTRICTIONS, _BINDING, _ZONE, _LIMITS):
        if plugin in refusals:
            yield Refusal(plugin, refusals[plugin])
