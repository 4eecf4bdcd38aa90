"""Which node an event of the store is for. Pure, but for what pods at rest take note of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.node import nodes
from orchestrator.node.node_pods import NodePods
from orchestrator.node.volumes.followers import Key
from orchestrator.resources.objects import Object
from orchestrator.store import ObjectEvent


def route(
    events: Iterable[ObjectEvent], nodes_pods: Mapping[str, NodePods]
) -> tuple[dict[str, list[tuple[str, Object | None]]], set[Key]]:
    """Settle what concerns pods at rest, and sort the other events by node.

    Returns:
        For each node that has any its pods' changes in order (None: removed, `nodes.UNDONE`: never
        was), and the ConfigMaps, Secrets, ServiceAccounts and claims that changed.
    """
    changes: dict[str, list[tuple[str, Object | None]]] = {}
    keys: set[Key] = set()
    undone: set[str] = set()
    for event in events:
        if event.key[0] != "pods":
            if event.key[0] != "nodes":
                keys.add(event.key)
            continue
        pod = event.object
        name = pod["spec"].get("nodeName")
        if name is None:
            continue
        mine = nodes_pods.get(name)
        if mine is None:
            continue
        uid = pod["metadata"]["uid"]
        put_back = event.restored and event.type != "MODIFIED"
        if not put_back and uid not in undone and mine.settle(event):
            continue
        found = changes.get(name)
        if found is None:
            changes[name] = found = []
        if put_back:  # it is not removed, or bound: what it did meanwhile never was
            undone.add(uid)
            found.append((uid, nodes.UNDONE))
            if event.type == "DELETED":
                continue
        found.append((uid, None if event.type == "DELETED" else pod))
    return changes, keys
