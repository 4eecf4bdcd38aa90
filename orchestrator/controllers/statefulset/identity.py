"""Who a StatefulSet's pods are: names, ordinals, labels, host names and volumes. Pure.

Rules: k8s.io/kubernetes/pkg/controller/statefulset/stateful_set_utils.go.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from orchestrator.controllers._revisions import POD_LABEL, template_of
from orchestrator.controllers._templates import pod_from_template
from orchestrator.resources.objects import Object, labels_of, meta, name_of, spec_of, with_meta

RESOURCE: Final = "statefulsets.apps"
PODS: Final = "pods"
CLAIMS: Final = "persistentvolumeclaims"

NAME_LABEL: Final = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL: Final = "apps.kubernetes.io/pod-index"

_POD_NAME: Final = re.compile(r"(.*)-(0|[1-9][0-9]*)", re.DOTALL)
_LARGEST: Final = 2**31 - 1


def parse_pod_name(name: str) -> tuple[str, int] | None:
    """Return the StatefulSet's name and the ordinal that a pod's name says, None for others."""
    found = _POD_NAME.fullmatch(name)
    if found is None or (ordinal := int(found[2])) > _LARGEST:
        return None
    return found[1], ordinal


def first_ordinal(stateful_set: Object) -> int:
    """Return the ordinal of the first pod."""
    start: int = (spec_of(stateful_set).get("ordinals") or {}).get("start") or 0
    return start


def pod_name(stateful_set: Object, ordinal: int) -> str:
    """Return the name of the pod with an ordinal."""
    return f"{name_of(stateful_set)}-{ordinal}"


def claim_templates(stateful_set: Object) -> list[Object]:
    """Return ``spec.volumeClaimTemplates``."""
    templates: list[Object] = spec_of(stateful_set).get("volumeClaimTemplates") or []
    return templates


def claim_names(stateful_set: Object, ordinal: int) -> list[str]:
    """Return the names of a pod's claims, in the order of their templates."""
    pod = pod_name(stateful_set, ordinal)
    return [f"{name_of(template)}-{pod}" for template in claim_templates(stateful_set)]


class PodMaker(NamedTuple):
    """Makes the pods of one revision, which share all that does not tell them apart.

    Attributes:
        stateful_set: Whose.
        revision: The name of the ControllerRevision.
        model: A pod without identity.
    """

    stateful_set: Object
    revision: str
    model: Object

    @staticmethod
    def of(stateful_set: Object, revision: Object) -> PodMaker:
        """Return the maker for a ControllerRevision."""
        model = pod_from_template(stateful_set, template_of(revision))
        return PodMaker(stateful_set, name_of(revision), model)

    def make(self, ordinal: int) -> Object:
        """Return the pod with an ordinal."""
        model, name = self.model, pod_name(self.stateful_set, ordinal)
        labels = {
            **(model["metadata"].get("labels") or {}),
            NAME_LABEL: name,
            INDEX_LABEL: str(ordinal),
            POD_LABEL: self.revision,
        }
        spec = {**model["spec"], "hostname": name}
        if service := spec_of(self.stateful_set).get("serviceName"):
            spec["subdomain"] = service
        if claim_templates(self.stateful_set):
            spec["volumes"] = with_claims(self.stateful_set, ordinal, spec.get("volumes") or [])
        return {
            **model,
            "metadata": {**model["metadata"], "name": name, "labels": labels},
            "spec": spec,
        }


def with_claims(stateful_set: Object, ordinal: int, volumes: list[Object]) -> list[Object]:
    """Return a pod's volumes with its claims, which take the place of others of their names."""
    named = {
        name_of(template): {
            "name": name_of(template),
            "persistentVolumeClaim": {"claimName": claim},
        }
        for template, claim in zip(
            claim_templates(stateful_set), claim_names(stateful_set, ordinal), strict=True
        )
    }
    return [*named.values(), *(volume for volume in volumes if volume["name"] not in named)]


def storage_matches(stateful_set: Object, pod: Object, ordinal: int) -> bool:
    """Tell whether a pod has the volume of each claim template."""
    templates = claim_templates(stateful_set)
    if not templates:
        return True
    mounted = {
        volume["name"]: (volume.get("persistentVolumeClaim") or {}).get("claimName")
        for volume in spec_of(pod).get("volumes") or ()
    }
    names = claim_names(stateful_set, ordinal)
    return all(
        mounted.get(name_of(template)) == name
        for template, name in zip(templates, names, strict=True)
    )


def corrected(stateful_set: Object, pod: Object, ordinal: int) -> Object | None:
    """Return a pod with the identity and storage it should have; None where it has them."""
    new = pod
    if labels_of(pod).get(NAME_LABEL) != name_of(pod):
        labels = {**labels_of(pod), NAME_LABEL: name_of(pod), INDEX_LABEL: str(ordinal)}
        new = with_meta(new, labels=labels)
    if not storage_matches(stateful_set, pod, ordinal):
        volumes = with_claims(stateful_set, ordinal, spec_of(pod).get("volumes") or [])
        new = {**new, "spec": {**spec_of(new), "volumes": volumes}}
    return None if new is pod else new


def make_claim(stateful_set: Object, template: Object, name: str) -> Object:
    """Return a claim of a template, with the labels of the StatefulSet's selector."""
    given = meta(template)
    wanted = (spec_of(stateful_set).get("selector") or {}).get("matchLabels") or {}
    metadata: Object = {
        "name": name,
        "namespace": stateful_set["metadata"]["namespace"],
        "labels": {**(given.get("labels") or {}), **wanted},
    }
    for field in ("annotations", "finalizers"):
        if given.get(field):
            metadata[field] = given[field]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": template.get("spec") or {},
    }
