"""Whether labels, taints and nodes are what a pod's words ask for, read plainly each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.resources.objects import Object

Labels = Mapping[str, str]


def satisfies(labels: Labels, requirement: Mapping[str, Any]) -> bool:
    """Tell whether labels satisfy one requirement of a label or node selector."""
    key: str = requirement["key"]
    values: Sequence[str] = requirement.get("values") or ()
    match requirement["operator"]:
        case "In":
            return labels.get(key) in values if key in labels else False
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case "Gt":
            return key in labels and int(labels[key]) > int(values[0])
        case "Lt":
            return key in labels and int(labels[key]) < int(values[0])
        case operator:
            raise ValueError(f"unknown operator {operator}")


def selects(selector: Mapping[str, Any] | None, labels: Labels) -> bool:
    """Tell whether a label selector selects something with these labels; None selects nothing."""
    if selector is None:
        return False
    return (selector.get("matchLabels") or {}).items() <= labels.items() and all(
        satisfies(labels, requirement) for requirement in selector.get("matchExpressions") or ()
    )


def takes(terms: Sequence[Mapping[str, Any]], node: Object) -> bool:
    """Tell whether one of a node selector's terms takes a node."""
    metadata = node["metadata"]
    labels, fields = metadata.get("labels") or {}, {"metadata.name": metadata["name"]}
    for term in terms:
        by_label, by_field = term.get("matchExpressions") or (), term.get("matchFields") or ()
        if not by_label and not by_field:
            continue
        if all(satisfies(labels, r) for r in by_label) and all(
            satisfies(fields, r) for r in by_field
        ):
            return True
    return False


def wants(spec: Mapping[str, Any], node: Object) -> bool:
    """Tell whether a pod's node selector and required node affinity take a node."""
    labels = node["metadata"].get("labels") or {}
    if not (spec.get("nodeSelector") or {}).items() <= labels.items():
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or takes(required.get("nodeSelectorTerms") or (), node)


def untolerated(spec: Mapping[str, Any], node: Object) -> str:
    """Return a taint that keeps a pod off a node, as text; empty when there is none."""
    node_spec = node.get("spec") or {}
    taints = list(node_spec.get("taints") or ())
    if node_spec.get("unschedulable"):
        taints.append({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"})
    for taint in taints:
        if taint["effect"] == "PreferNoSchedule":
            continue
        if not any(_tolerates(one, taint) for one in spec.get("tolerations") or ()):
            return f"{taint['key']}={taint.get('value') or ''}:{taint['effect']}"
    return ""


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in {None, "", taint["effect"]}:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator") == "Exists":
        return True
    return (toleration.get("value") or "") == (taint.get("value") or "")
