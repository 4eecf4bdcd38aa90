"""Plugins that look at the node itself: cordon, name, taints, affinity, ports, images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tests.scheduler.twin.plugin import Plugin, Rejection, normalised
from tests.scheduler.twin.snapshot import Object, labels, name

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
ANY_ADDRESS = "0.0.0.0"
MEBIBYTE = 1024 * 1024


class NodeUnschedulable(Plugin):
    """A cordoned node takes only pods that tolerate being cordoned."""

    name = "NodeUnschedulable"

    def filter(self, node: Object) -> Rejection | None:
        taint = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
        if (node.get("spec") or {}).get("unschedulable") and not tolerated(taint, self.pod):
            return self.rejection("node(s) were unschedulable", resolvable=False)
        return None


class NodeName(Plugin):
    """A pod that names its node goes nowhere else."""

    name = "NodeName"

    def filter(self, node: Object) -> Rejection | None:
        wanted = self.pod["spec"].get("nodeName")
        if wanted and wanted != name(node):
            return self.rejection("node(s) didn't match the requested node name", resolvable=False)
        return None


class TaintToleration(Plugin):
    """Taints keep pods away, or make a node less welcome."""

    name = "TaintToleration"

    def filter(self, node: Object) -> Rejection | None:
        if has_untolerated(node, self.pod):
            return self.rejection("node(s) had untolerated taint(s)", resolvable=False)
        return None

    def scores(self, feasible: Sequence[Object]) -> dict[str, int]:
        soft = [
            toleration
            for toleration in self.pod["spec"].get("tolerations") or ()
            if (toleration.get("effect") or "") in {"", "PreferNoSchedule"}
        ]
        return normalised(
            {
                name(node): sum(
                    taint.get("effect") == "PreferNoSchedule"
                    and not any(tolerates(toleration, taint) for toleration in soft)
                    for taint in taints(node)
                )
                for node in feasible
            },
            reverse=True,
        )


class NodeAffinity(Plugin):
    """``nodeSelector`` and node affinity of the pod, and what the profile adds."""

    name = "NodeAffinity"

    def prefilter(self) -> Rejection | frozenset[str] | None:
        terms = required_terms(affinity(self.pod, "nodeAffinity"))
        if not terms:
            return None
        names: set[str] = set()
        for term in terms:
            named = [
                set(field["values"])
                for field in term.get("matchFields") or ()
                if field["key"] == "metadata.name" and field["operator"] == "In"
            ]
            if not named:
                return None
            names |= set.intersection(*named)
        if not names:
            return self.rejection("pod affinity terms conflict", resolvable=False)
        return frozenset(names)

    def filter(self, node: Object) -> Rejection | None:
        added = required_terms(self.profile.added_affinity or {})
        if added is not None and not any(term_selects(term, node) for term in added):
            return self.rejection(
                "node(s) didn't match scheduler-enforced node affinity", resolvable=False
            )
        if not is_selected(node, self.pod):
            return self.rejection(
                "node(s) didn't match Pod's node affinity/selector", resolvable=False
            )
        return None

    def scores(self, feasible: Sequence[Object]) -> dict[str, int]:
        preferences = [
            *(affinity(self.pod, "nodeAffinity").get(PREFERRED) or ()),
            *((self.profile.added_affinity or {}).get(PREFERRED) or ()),
        ]
        return normalised(
            {
                name(node): sum(
                    one["weight"] for one in preferences if term_selects(one["preference"], node)
                )
                for node in feasible
            }
        )


class NodePorts(Plugin):
    """A host port can be had once on a node."""

    name = "NodePorts"

    def filter(self, node: Object) -> Rejection | None:
        taken = [port for pod in self.snapshot.pods_on(node) for port in host_ports(pod)]
        if any(clash(mine, other) for mine in host_ports(self.pod) for other in taken):
            return self.rejection(
                "node(s) didn't have free ports for the requested pod ports", resolvable=True
            )
        return None


class ImageLocality(Plugin):
    """Nodes that have the pod's images are better, the more so the larger the images."""

    name = "ImageLocality"

    def scores(self, feasible: Sequence[Object]) -> dict[str, int]:
        containers = [
            *(self.pod["spec"].get("initContainers") or ()),
            *(self.pod["spec"].get("containers") or ()),
        ]
        lowest, highest = 23 * MEBIBYTE, 1000 * MEBIBYTE * len(containers)
        scores = {}
        for node in feasible:
            total = sum(self._worth(container.get("image") or "", node) for container in containers)
            total = min(max(total, lowest), highest)
            scores[name(node)] = 100 * (total - lowest) // (highest - lowest)
        return scores

    def _worth(self, image: str, node: Object) -> int:
        """Return the image's size where the node has it, scaled by how many nodes have it."""
        image = with_tag(image)
        size = images(node).get(image)
        if size is None:
            return 0
        having = sum(image in images(other) for other in self.snapshot.nodes)
        return int(float(size) * (float(having) / float(len(self.snapshot.nodes))))


# ---- taints


def taints(node: Object) -> Sequence[Object]:
    """Return a node's taints."""
    return (node.get("spec") or {}).get("taints") or ()


def tolerates(toleration: Object, taint: Object) -> bool:
    """Tell whether a toleration covers a taint; an empty key or effect covers every one."""
    effect, key = toleration.get("effect") or "", toleration.get("key") or ""
    if effect and effect != taint["effect"]:
        return False
    if key and key != taint["key"]:
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Equal":
        return (toleration.get("value") or "") == (taint.get("value") or "")
    return bool(operator == "Exists")


def tolerated(taint: Object, pod: Object) -> bool:
    """Tell whether a pod tolerates a taint."""
    return any(tolerates(one, taint) for one in pod["spec"].get("tolerations") or ())


def has_untolerated(node: Object, pod: Object) -> bool:
    """Tell whether a node has a taint that keeps the pod away."""
    return any(
        taint["effect"] in {"NoSchedule", "NoExecute"} and not tolerated(taint, pod)
        for taint in taints(node)
    )


# ---- node affinity


def affinity(pod: Object, kind: str) -> Object:
    """Return one part of a pod's affinity; empty when it has none."""
    return (pod["spec"].get("affinity") or {}).get(kind) or {}


def required_terms(node_affinity: Object) -> Sequence[Object] | None:
    """Return the terms of which one must select the node; None where nothing is required."""
    required = node_affinity.get(REQUIRED)
    return None if required is None else required.get("nodeSelectorTerms") or ()


def is_selected(node: Object, pod: Object) -> bool:
    """Tell whether the pod's selector and required node affinity select the node."""
    for key, value in (pod["spec"].get("nodeSelector") or {}).items():
        if labels(node).get(key) != value:
            return False
    terms = required_terms(affinity(pod, "nodeAffinity"))
    return terms is None or any(term_selects(term, node) for term in terms)


def term_selects(term: Object, node: Object) -> bool:
    """Tell whether all of a term's expressions and fields hold; an empty term selects nothing."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return all(holds(one, labels(node)) for one in expressions) and all(
        holds(one, {"metadata.name": name(node)}) for one in fields
    )


def holds(expression: Object, values: Mapping[str, str]) -> bool:
    """Tell whether one expression holds."""
    have: str | None = values.get(expression["key"])
    wanted: Sequence[str] = expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return have in wanted
        case "NotIn":
            return have not in wanted
        case "Exists":
            return have is not None
        case "DoesNotExist":
            return have is None
        case "Gt":
            return is_integer(have) and int(have or "") > int(wanted[0])
        case "Lt":
            return is_integer(have) and int(have or "") < int(wanted[0])
        case other:
            raise ValueError(other)


def is_integer(text: str | None) -> bool:
    """Tell whether a label's value is a whole number."""
    return text is not None and text.lstrip("-").isdigit()


# ---- ports and images


def host_ports(pod: Object) -> list[tuple[str, str, int]]:
    """Return protocol, address and port of all that run for the pod's life."""
    sidecars: Iterable[Object] = (
        one
        for one in pod["spec"].get("initContainers") or ()
        if one.get("restartPolicy") == "Always"
    )
    return [
        (port.get("protocol") or "TCP", port.get("hostIP") or ANY_ADDRESS, port["hostPort"])
        for container in (*sidecars, *(pod["spec"].get("containers") or ()))
        for port in container.get("ports") or ()
        if port.get("hostPort")
    ]


def clash(one: tuple[str, str, int], other: tuple[str, str, int]) -> bool:
    """Tell whether two ports cannot be had at once: any address clashes with all."""
    if one[0] != other[0] or one[2] != other[2]:
        return False
    return one[1] == other[1] or ANY_ADDRESS in {one[1], other[1]}


def with_tag(image: str) -> str:
    """Return the image's name with ``:latest`` where it has no tag."""
    return image if image.rfind(":") > image.rfind("/") else f"{image}:latest"


def images(node: Object) -> dict[str, int]:
    """Return the names of the images that are on a node, with their sizes in bytes."""
    return {
        one: image.get("sizeBytes") or 0
        for image in (node.get("status") or {}).get("images") or ()
        for one in image.get("names") or ()
    }
