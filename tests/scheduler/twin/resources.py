"""NodeResourcesFit and NodeResourcesBalancedAllocation: what is asked for, and what is there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from orchestrator.resources import quantities
from tests.scheduler.twin.plugin import Plugin, Rejection
from tests.scheduler.twin.snapshot import Object, name

NANO = 10**9
NON_ZERO = {"cpu": NANO // 10, "memory": 200 * 1024 * 1024 * NANO}
"""What a container without a request counts in scores: 100m and 200Mi, in 10^-9 units."""
NATIVE = ("cpu", "memory", "ephemeral-storage")


class NodeResourcesFit(Plugin):
    """What a pod requests must be free on the node."""

    name = "NodeResourcesFit"

    def filter(self, node: Object) -> Rejection | None:
        reasons, resolvable = [], True
        there = self.snapshot.pods_on(node)
        room = capacity(node)
        if len(there) + 1 > room.get("pods", 0):
            reasons.append("Too many pods")
        wanted = requests(self.pod)
        for resource in sorted(wanted, key=lambda one: (*NATIVE, one).index(one)):
            amount = wanted[resource]
            if amount == 0 or self._is_ignored(resource):
                continue
            used = sum(requests(pod).get(resource, 0) for pod in there)
            if amount > room.get(resource, 0) - used:
                reasons.append(f"Insufficient {resource}")
                resolvable = resolvable and amount <= room.get(resource, 0)
        return self.rejection(*reasons, resolvable=resolvable) if reasons else None

    def scores(self, feasible: Sequence[Object]) -> dict[str, int]:
        return {name(node): self._score(node) for node in feasible}

    def _is_ignored(self, resource: str) -> bool:
        return is_extended(resource) and (
            resource in self.profile.ignored_resources
            or resource.split("/", maxsplit=1)[0] in self.profile.ignored_groups
        )

    def _score(self, node: Object) -> int:
        total = weights = 0
        for resource, weight in self.profile.resources:
            used, room = use_with(self, node, resource, non_zero=True)
            if room == 0:
                continue
            match self.profile.strategy:
                case "LeastAllocated":
                    score = 0 if used > room else (room - used) * 100 // room
                case "MostAllocated":
                    score = min(used, room) * 100 // room
                case _:
                    score = on_shape(self.profile.shape, 100 if used > room else used * 100 // room)
                    if score == 0:
                        continue
            total += score * weight
            weights += weight
        if weights == 0:
            return 0
        if self.profile.strategy == "RequestedToCapacityRatio":
            return math.floor(total / weights + 0.5)
        return total // weights


class NodeResourcesBalancedAllocation(Plugin):
    """Nodes whose resources would be used alike are better."""

    name = "NodeResourcesBalancedAllocation"

    def scores(self, feasible: Sequence[Object]) -> dict[str, int] | None:
        wanted = requests(self.pod)
        if not any(wanted.get(resource) for resource in self.profile.balanced):
            return None
        return {name(node): self._score(node) for node in feasible}

    def _score(self, node: Object) -> int:
        fractions = []
        for resource in self.profile.balanced:
            used, room = use_with(self, node, resource, non_zero=False)
            if room:
                fractions.append(min(1.0, float(used) / float(room)))
        deviation = 0.0
        if len(fractions) == 2:
            deviation = abs((fractions[0] - fractions[1]) / 2)
        elif len(fractions) > 2:
            total = 0.0
            for fraction in fractions:
                total += fraction
            mean = total / len(fractions)
            squares = 0.0
            for fraction in fractions:
                squares += (fraction - mean) * (fraction - mean)
            deviation = math.sqrt(squares / len(fractions))
        return int((1 - deviation) * 100)


def use_with(plugin: Plugin, node: Object, resource: str, *, non_zero: bool) -> tuple[int, int]:
    """Return how much of a resource is used with the pod on the node, and how much there is.

    Both are 0, which keeps the resource out of a score, where the pod does not request a resource
    that is not native, or the node has none.
    """
    mine = requests(plugin.pod, non_zero=non_zero).get(resource, 0)
    room = capacity(node).get(resource, 0)
    if room == 0 or (mine == 0 and resource not in NATIVE):
        return 0, 0
    there = plugin.snapshot.pods_on(node)
    return mine + sum(requests(pod, non_zero=non_zero).get(resource, 0) for pod in there), room


def on_shape(shape: Sequence[tuple[int, int]], utilisation: int) -> int:
    """Return a score of 0 to 100 from a broken line of (percent, 0 to 10), in whole numbers."""
    before: tuple[int, int] | None = None
    for percent, tenth in shape:
        score = tenth * 10
        if utilisation <= percent:
            if before is None:
                return score
            rise, run = score - before[1], percent - before[0]
            # Go divides towards zero, Python downwards: a falling line needs the difference.
            return before[1] + int(
                math.copysign(abs(rise) * (utilisation - before[0]) // run, rise)
            )
        before = (percent, score)
    assert before is not None
    return before[1]


def is_extended(resource: str) -> bool:
    """Tell whether a resource is an extended one: it has a domain that is not Kubernetes' own."""
    domain, slash, _ = resource.partition("/")
    return bool(slash) and not f".{domain}".endswith(".kubernetes.io")


def capacity(node: Object) -> dict[str, int]:
    """Return what a node has to give: millicores of CPU, whole units of all else.

    The API fills in the capacity for what is allocatable, where a node does not say it.
    """
    status = node.get("status") or {}
    allocatable = status.get("allocatable") or status.get("capacity") or {}
    return {
        resource: round_up(resource, quantities.parse(value).nano)
        for resource, value in allocatable.items()
    }


def requests(pod: Object, *, non_zero: bool = False) -> dict[str, int]:
    """Return what a pod takes of each resource, as upstream's PodRequests.

    Args:
        pod: The pod.
        non_zero: Let containers that request no CPU or memory count with defaults.
    """
    spec = pod["spec"]
    total: dict[str, int] = {}
    for container in spec.get("containers") or ():
        add(total, of_container(container, non_zero))
    sidecars: dict[str, int] = {}
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            add(total, of_container(container, non_zero))
    highest: dict[str, int] = {}
    for container in spec.get("initContainers") or ():
        mine = of_container(container, non_zero)
        if container.get("restartPolicy") == "Always":
            add(sidecars, mine)
            at_this_time = dict(sidecars)
        else:
            at_this_time = dict(mine)
            add(at_this_time, sidecars)
        for resource, amount in at_this_time.items():
            highest[resource] = max(highest.get(resource, 0), amount)
    for resource, amount in highest.items():
        total[resource] = max(total.get(resource, 0), amount)
    pod_level = parsed((spec.get("resources") or {}).get("requests"))
    total |= {resource: pod_level[resource] for resource in pod_level if is_pod_level(resource)}
    add(total, parsed(spec.get("overhead")))
    return {resource: round_up(resource, amount) for resource, amount in total.items()}


def is_pod_level(resource: str) -> bool:
    """Tell whether a resource may be requested for the pod as a whole."""
    return resource in {"cpu", "memory"} or resource.startswith("hugepages-")


def of_container(container: Object, non_zero: bool) -> dict[str, int]:
    """Return what one container requests, in 10^-9 units."""
    mine = parsed((container.get("resources") or {}).get("requests"))
    return {**NON_ZERO, **mine} if non_zero else mine


def parsed(amounts: Mapping[str, str] | None) -> dict[str, int]:
    """Return quantities in 10^-9 units."""
    return {resource: quantities.parse(value).nano for resource, value in (amounts or {}).items()}


def add(total: dict[str, int], more: Mapping[str, int]) -> None:
    """Add amounts to a total."""
    for resource, amount in more.items():
        total[resource] = total.get(resource, 0) + amount


def round_up(resource: str, nano: int) -> int:
    """Return thousandths of a CPU, or whole units of anything else."""
    return -(-nano // (NANO // 1000 if resource == "cpu" else NANO))
