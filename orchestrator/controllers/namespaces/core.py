"""Emptying a namespace that is being deleted, and what every namespace has. Pure.

`orchestrator.controllers.namespaces.actor` lists the contents and applies the plans.
Rules: k8s.io/kubernetes/pkg/controller/namespace/deletion, pkg/controller/serviceaccount and
pkg/controller/certificates/rootcacertpublisher.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from orchestrator.controllers.plans import Creation, Deletion, Plan, Update
from orchestrator.resources.conditions import Condition, set_condition
from orchestrator.resources.objects import Object, is_deleting, meta, name_of, spec_of, status_of
from orchestrator.resources.timestamps import format_time, parse_time

RESOURCE: Final = "namespaces"
PODS: Final = "pods"
FINALIZER: Final = "kubernetes"

BATCH: Final = 500
"""Objects deleted in one plan."""

SOONEST: Final = 0.1
"""Seconds between two looks at a namespace whose deletion has just begun."""

LATEST: Final = 5.0
"""Seconds between two looks at one that has been waiting for long."""

CA_CONFIG_MAP: Final = "kube-root-ca.crt"
CA_DESCRIPTION: Final = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal "
    "endpoints such as the internal service IP or kubernetes.default.svc. No other usage is "
    "guaranteed across distributions of Kubernetes clusters."
)


def decide_namespace(
    namespace: Object,
    contents: Mapping[str, Sequence[Object]],
    now: float,
    *,
    stale: Sequence[str] = (),
    refusals: Sequence[str] = (),
) -> Plan:
    """Return the next step of a namespace's deletion; ``NamespaceController`` applies it.

    Pods go first; the rest follows when none is left, so that a NetworkPolicy, a Secret or a claim
    is there as long as a pod that relies on it. Nothing new can appear in a terminating namespace,
    so an empty one stays empty.

    Args:
        namespace: As committed.
        contents: Resource → objects in the namespace, only those that have any.
        now: Wall seconds.
        stale: Group versions of other servers that do not answer: what they have in the namespace
            is not known.
        refusals: Why deletions of the last step were refused.
    """
    plan = Plan()
    finalizers = spec_of(namespace).get("finalizers") or []
    if not is_deleting(namespace) or FINALIZER not in finalizers:
        return plan
    if PODS in contents:
        contents = {PODS: contents[PODS]}
    rest = [finalizer for finalizer in finalizers if finalizer != FINALIZER]
    for resource, objects in contents.items():
        for obj in objects:
            if not is_deleting(obj) and len(plan.delete) < BATCH:
                plan.delete.append(Deletion(resource, obj, "Background"))
    present = status_of(namespace).get("conditions") or []
    if contents or stale or (present and rest):
        conditions = _conditions(present, contents, stale, refusals, now)
        if conditions != present:
            status = {**status_of(namespace), "conditions": conditions}
            new = {**namespace, "status": status}
            plan.update.append(Update(RESOURCE, namespace, new, "status"))
    if not contents and not stale:
        spec = {**spec_of(namespace), "finalizers": rest}
        plan.update.append(Update(RESOURCE, namespace, {**namespace, "spec": spec}, "finalize"))
        return plan
    if plan.delete and not refusals:
        plan.look_again(0)  # most of it is gone when the deletions are answered
    else:
        waited = now - parse_time(namespace["metadata"]["deletionTimestamp"])
        plan.look_again(min(LATEST, max(SOONEST, waited / 4)))
    return plan


def _conditions(
    conditions: list[Condition],
    contents: Mapping[str, Sequence[Object]],
    stale: Sequence[str],
    refusals: Sequence[str],
    now: float,
) -> list[Condition]:
    finalizers: dict[str, int] = {}
    for objects in contents.values():
        for obj in objects:
            for finalizer in meta(obj).get("finalizers") or ():
                finalizers[finalizer] = finalizers.get(finalizer, 0) + 1
    remaining = ", ".join(
        f"{_full_name(resource)} has {len(objects)} resource instances"
        for resource, objects in sorted(contents.items())
    )
    held = ", ".join(
        f"{finalizer} in {number} resource instances"
        for finalizer, number in sorted(finalizers.items())
    )
    unknown = ", ".join(f"{name}: stale GroupVersion discovery: {name}" for name in sorted(stale))
    undiscovered = (
        f"Discovery failed for some groups, {len(stale)} failing: unable to retrieve the complete "
        f"list of server APIs: {unknown}"
    )
    told = ", ".join(refusals)
    undeleted = f"Failed to delete all resource types, {len(refusals)} remaining: " + (
        told if len(refusals) == 1 else f"[{told}]"
    )
    wanted = (
        (
            "NamespaceDeletionDiscoveryFailure",
            ("DiscoveryFailed", undiscovered) if stale else None,
            ("ResourcesDiscovered", "All resources successfully discovered"),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            None,
            ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ),
        (
            "NamespaceDeletionContentFailure",
            ("ContentDeletionFailed", undeleted) if refusals else None,
            (
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            ),
        ),
        (
            "NamespaceContentRemaining",
            ("SomeResourcesRemain", f"Some resources are remaining: {remaining}")
            if remaining
            else None,
            ("ContentRemoved", "All content successfully removed"),
        ),
        (
            "NamespaceFinalizersRemaining",
            (
                "SomeFinalizersRemain",
                f"Some content in the namespace has finalizers remaining: {held}",
            )
            if held
            else None,
            ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
        ),
    )
    moment = format_time(now)
    for type_, amiss, fine in wanted:
        reason, message = amiss or fine
        status = "True" if amiss else "False"
        conditions = set_condition(
            conditions, type_, status, now=moment, reason=reason, message=message
        )
    return conditions


def _full_name(resource: str) -> str:
    """Return a resource as upstream prints it here: ``pods.``, ``deployments.apps``."""
    return resource if "." in resource else f"{resource}."


def decide_defaults(
    namespace: Object, account: Object | None, bundle: Object | None, ca: str
) -> Plan:
    """Return what a namespace lacks of what every one has; ``NamespaceDefaults`` applies it.

    Args:
        namespace: As committed.
        account: Its ServiceAccount ``default``, if it is there.
        bundle: Its ConfigMap ``kube-root-ca.crt``, if it is there.
        ca: The cluster's CA certificates as PEM; empty when it has none, and then there is no
            ConfigMap either.
    """
    plan = Plan()
    if is_deleting(namespace):
        return plan
    place = name_of(namespace)
    if account is None:
        fresh = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": place},
        }
        plan.create.append(Creation("serviceaccounts", fresh))
    if not ca:
        return plan
    data = {"ca.crt": ca}
    if bundle is None:
        metadata = {
            "name": CA_CONFIG_MAP,
            "namespace": place,
            "annotations": {"kubernetes.io/description": CA_DESCRIPTION},
        }
        fresh = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        plan.create.append(Creation("configmaps", fresh))
    elif bundle.get("data") != data and not is_deleting(bundle):
        plan.update.append(Update("configmaps", bundle, {**bundle, "data": data}))
    return plan
